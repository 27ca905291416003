"""Every score together: names, floors and what the protocol changes."""

import json

import numpy as np
import pytest

from gan_jax import evaluate
from gan_jax.data.dataset import Split
from gan_jax.evaluation import classifier, features
from gan_jax.evaluation.metrics.scores import ImageFeatures, per_class_scores, scores
from gan_jax.runs import score
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import session
from tests.tiny import run

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")

ALL = {
    *("conditional_accuracy", "classifier_score", "frechet_distance", "frechet_distance_extrapolated"),
    *("kernel_distance", "precision", "recall", "density", "coverage", "two_sample_accuracy", "two_sample_p_value"),
    *("different_bins", "nearer_to_train", "nearer_to_train_p_value", "data_copying_z"),
}


def images(size, seed, classes=4, spread=1.0):
    """A mixture of Gaussians, a class each, seen by a classifier that is nearly sure."""
    rng = np.random.default_rng(seed)
    labels = np.arange(size) % classes
    points = 6.0 * np.eye(classes, 8)[labels] + spread * rng.normal(size=(size, 8))
    probabilities = np.exp(3.0 * points[:, :classes])
    return ImageFeatures(points, labels, probabilities / probabilities.sum(axis=1, keepdims=True))


def test_real_images_score_as_their_floor():
    train_images, test, fresh = (images(800, seed) for seed in range(3))
    result = scores(fresh, test, train_images, train_images.features, conditional=True)
    assert set(result) == ALL
    for name in ("precision", "recall", "density", "coverage", "two_sample_accuracy", "conditional_accuracy"):
        assert result[name].value == pytest.approx(result[name].real, abs=0.1), name
        assert 0 < result[name].standard_error < 0.1 or name == "conditional_accuracy"
    assert abs(result["frechet_distance"].value - result["frechet_distance"].real) < 0.5
    assert result["nearer_to_train_p_value"].value > 0.01
    assert result["classifier_score"].value == pytest.approx(4, rel=0.1)


def test_bad_images_score_worse_than_their_floor():
    train_images, test = images(800, 0), images(800, 1)
    blurred = images(800, 2, classes=2, spread=3.0)
    result = scores(blurred, test, train_images, train_images.features, conditional=True)
    worse_if_higher = ("frechet_distance", "kernel_distance", "two_sample_accuracy", "different_bins")
    for name in worse_if_higher:
        assert result[name].value > result[name].real + 2 * (result[name].standard_error or 0), name
    # Not recall: images strewn widely enough have every real one among them.
    for name in ("precision", "coverage", "classifier_score"):
        assert result[name].value < result[name].real, name


def test_copies_are_flagged():
    train_images, test = images(400, 0), images(400, 1)
    result = scores(train_images, test, train_images, train_images.features, conditional=False)
    assert result["nearer_to_train"].value > 0.9
    assert result["nearer_to_train_p_value"].value < 0.01
    assert result["data_copying_z"].value < -3
    assert "conditional_accuracy" not in result


def test_few_images_and_extractors_without_classes():
    some, other = (images(8, seed)._replace(probabilities=None) for seed in (0, 1))
    result = scores(some, other, some, some.features, conditional=True)
    assert set(result) >= {"frechet_distance", "kernel_distance", "nearer_to_train"}
    assert not set(result) & {"conditional_accuracy", "classifier_score", "precision"}
    assert set(per_class_scores(some, other, 5)) == {"per_class_frechet_distance"}
    assert per_class_scores(some, other, 5)["per_class_frechet_distance"][4] is None


def test_the_protocol_decides_split_features_generator_and_file(config, tmp_path, quick_classifier, capsys):
    configs.override(config, {"data.num_validation": 3, "num_steps": 4})
    path, cache = tmp_path / "run", tmp_path / "cache"
    session.train(config, str(path))
    usual = ("--workdir", path, "--num_images", 24, "--data_dir", cache)
    assert run(evaluate, *usual) == 0
    assert "conditional accuracy" in capsys.readouterr().out
    assert run(evaluate, *usual, "--split", "validation", "--features", "pixels", "--generator", "raw") == 0
    read = lambda name: json.loads((path / name).read_text())  # noqa: E731
    first, second = read("evaluation-24_images.json"), read("evaluation-24_images-pixels-validation-raw.json")
    assert (first["split"], first["generator"], first["num_real"]) == ("test", "ema", 6)
    assert (second["split"], second["generator"], second["features"], second["num_real"]) == (
        *("validation", "last", "pixels"),
        3,
    )
    assert "conditional_accuracy" not in second
    assert len(first["per_class_accuracy"]) == 3
    assert run(evaluate, *usual, "--features", "pixel") == 2
    assert "did you mean pixels" in capsys.readouterr().err
    assert run(evaluate, *usual, "--features", "inception") == 2
    assert "needs --inception_weights PATH" in capsys.readouterr().err
    assert run(evaluate, *usual, "--features", "inception", "--inception_weights", "/nowhere") == 4


def test_classification_accuracy_score_of_good_and_of_mislabelled_images(tmp_path, monkeypatch):
    """Bright against dark images: learnt from 'generated' ones of the right labels, unlearnt from swapped ones."""
    monkeypatch.setattr(features, "Recipe", lambda: classifier.Recipe(num_steps=60, batch_size=16, widths=(4, 4, 4)))
    rng = np.random.default_rng(0)

    def split(size):
        labels = (np.arange(size) % 2).astype(np.int32)
        return Split(rng.integers(0, 100, (size, 9, 9, 1)).astype(np.uint8) + 150 * labels[:, None, None, None], labels)

    good, floor, real = split(64), split(64), split(40)
    good, floor, real = (Split(part.images.astype(np.uint8), part.labels) for part in (good, floor, real))
    result = score.classification_accuracy_score(good, floor, real, 2, str(tmp_path))
    assert min(result.value, result.real) > 0.95
    swapped = Split(good.images, 1 - good.labels)
    result = score.classification_accuracy_score(swapped, floor, real, 2, str(tmp_path))
    assert result.value < 0.05
    assert result.real > 0.95


def test_train_on_generated_is_a_column_and_a_file_of_its_own(finished_run, tmp_path, quick_classifier, capsys):
    words = ("--num_images", 12, "--data_dir", tmp_path / "cache", "--train_on_generated")
    path, config = finished_run
    assert run(evaluate, "--workdir", path, *words) == 0
    assert "classification accuracy score" in capsys.readouterr().out
    result = json.loads((path / "evaluation-12_images-train_on_generated.json").read_text())
    assert 0 <= result["classification_accuracy_score"] <= 1
    assert 0 <= result["classification_accuracy_score_real"] <= 1
    changes = {"generator.conditioning": "none", "discriminator.conditioning": "none", "num_steps": 1}
    configs.override(config, changes)
    session.train(config, str(tmp_path / "other"))
    assert run(evaluate, "--workdir", tmp_path / "other", *words) == 2
    assert "takes none" in capsys.readouterr().err


def test_validation_scores_need_validation_images(finished_run):
    path, _ = finished_run
    with pytest.raises(UserError, match="num_validation"):
        score.evaluate(str(path), score.Protocol(24, features="pixels", split="validation"))
