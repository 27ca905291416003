"""Instance selection: the densities by scipy, which images are kept, and a run that trains on them."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from gan_jax.data.dataset import Split
from gan_jax.evaluation import instance_selection as selection
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import session
from tests.tiny import numbered_images, rows


def section(**changes):
    config = configs.load(configs.own("configs/cgan.py")).data
    with config.unlocked():
        config.update({"keep_share": 0.5, "keep_features": "pixels", **changes})
    return config


def test_density_equals_scipy():
    """With one covariance for all classes, as here, scipy's log densities differ by a constant."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = rng.standard_normal((90, 4)) @ rng.standard_normal((4, 4)) + 10 * labels[:, None]
    means = np.stack([features[labels == label].mean(axis=0) for label in range(3)])[labels]
    covariance = np.cov((features - means).T, bias=True)
    covariance += np.eye(4) * selection._RIDGE * np.trace(covariance) / 4
    expected = multivariate_normal(np.zeros(4), covariance).logpdf(features - means)
    actual = selection.log_density(features, labels)
    np.testing.assert_allclose(actual - actual[0], expected - expected[0], rtol=1e-8, atol=1e-8)


def test_constant_features_have_a_density():
    assert np.isfinite(selection.log_density(np.ones((6, 3)), np.arange(6) % 2)).all()


def with_outliers():
    """A little noise around a grey; every fifth image of each of the three classes has much noise."""
    dataset = numbered_images(60)
    images = np.random.default_rng(0).integers(100, 120, (60, 4, 4, 1)).astype(np.uint8)
    outliers = np.arange(60) // 3 % 5 == 0
    images[outliers] = np.random.default_rng(1).integers(0, 256, (outliers.sum(), 4, 4, 1))
    split = Split(images, dataset.train.labels)
    return dataset._replace(train=split, test=split), outliers


def test_the_least_typical_images_of_each_class_are_left_out(tmp_path):
    dataset, outliers = with_outliers()
    selected = selection.select(section(keep_share=0.8), dataset, str(tmp_path), "auto")
    np.testing.assert_array_equal(selected.train.images, dataset.train.images[~outliers])
    np.testing.assert_array_equal(selected.train.labels, dataset.train.labels[~outliers])
    assert selected.test is dataset.test
    assert selection.num_kept(section(keep_share=0.8), dataset.train.labels) == 48


def test_the_share_is_rounded_up_in_each_class_and_all_are_kept_at_1(tmp_path):
    dataset, _ = with_outliers()
    kept = selection.select(section(keep_share=0.01), dataset, str(tmp_path), "auto")
    assert np.bincount(kept.train.labels).tolist() == [1, 1, 1]
    assert selection.num_kept(section(keep_share=0.01), dataset.train.labels) == 3
    assert selection.select(section(keep_share=1.0), dataset, str(tmp_path), "auto") is dataset


def test_densities_are_computed_once_for_all_shares(tmp_path, monkeypatch):
    dataset, _ = with_outliers()
    first = selection.select(section(), dataset, str(tmp_path), "auto")
    monkeypatch.setattr(selection, "log_density", lambda *arguments: pytest.fail("computed again"))
    again = selection.select(section(), dataset, str(tmp_path), "auto")
    np.testing.assert_array_equal(again.train.images, first.train.images)
    assert len(selection.select(section(keep_share=0.2), dataset, str(tmp_path), "auto").train.labels) == 12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep_share": 0.0}, "a share of the training images, above 0, or 1 for all"),
        ({"keep_share": 1.5}, "a share of the training images, above 0, or 1 for all"),
        ({"keep_features": "pixel"}, "did you mean pixels"),
        ({"num_labels": 30}, "hides them; set one of the two"),
    ],
)
def test_mistakes(changes, message):
    dataset, _ = with_outliers()

    def before_a_run():
        selection.num_kept(section(**changes), dataset.train.labels)
        selection.check(section(**changes), dataset)

    with pytest.raises(UserError, match=message):
        before_a_run()


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")  # TensorFlow's, about other packages
def test_a_run_trains_on_the_selected_images_alone(config, tmp_path, monkeypatch):
    """Its epochs are shorter, and run.json still has all images."""
    trained_on, real = [], session.training_batches

    def remember(*arguments):
        data = real(*arguments)
        trained_on.append(len(data[0].labels))
        return data

    monkeypatch.setattr(session, "training_batches", remember)
    with config.unlocked():
        config.update({"num_steps": 0, "num_epochs": 1})
        config.data.update({"keep_share": 0.5, "keep_features": "pixels", "num_validation": 0})
    session.train(config, str(tmp_path / "run"))
    (number,), data = trained_on, Workdir(str(tmp_path / "run")).run()["data"]
    assert data["num_train"] / 2 <= number < data["num_train"] / 2 + 3
    assert len(rows(tmp_path / "run")) == max(number // config.batch_size, 1)
