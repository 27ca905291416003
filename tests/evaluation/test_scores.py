"""All scores of a run: names, scores of real images, and the settings of the protocol."""

import json

import numpy as np
import pytest

from gan_jax import evaluate
from gan_jax.data.dataset import Split
from gan_jax.evaluation import features
from gan_jax.evaluation.metrics.scores import ImageFeatures, _distances, per_class_scores, scores, split_halves
from gan_jax.evaluation.recipes import Recipe
from gan_jax.runs import score
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import session
from tests.tiny import run

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")

ALL = {
    *("conditional_accuracy", "classifier_score", "frechet_distance", "frechet_distance_extrapolated"),
    *("kernel_distance", "precision", "recall", "density", "coverage", "two_sample_accuracy", "two_sample_p_value"),
    *("different_bins", "nearer_to_train", "nearer_to_train_p_value", "data_copying_z"),
}


def images(size, seed, classes=4, stddev=1.0):
    """Features of a mixture of one Gaussian per class, and the probabilities of an almost certain classifier."""
    rng = np.random.default_rng(seed)
    labels = np.arange(size) % classes
    points = 6.0 * np.eye(classes, 8)[labels] + stddev * rng.normal(size=(size, 8))
    probabilities = np.exp(3.0 * points[:, :classes])
    return ImageFeatures(points, labels, probabilities / probabilities.sum(axis=1, keepdims=True))


def test_fresh_real_images_have_the_scores_of_real_images():
    train_images, test, fresh = (images(800, seed) for seed in range(3))
    result = scores(fresh, test, train_images.features, conditional=True)
    assert set(result) == ALL
    for name in ("precision", "recall", "density", "coverage", "two_sample_accuracy", "conditional_accuracy"):
        assert result[name].value == pytest.approx(result[name].real, abs=0.1), name
        assert 0 < result[name].standard_error < 0.1 or name == "conditional_accuracy"
    assert abs(result["frechet_distance"].value - result["frechet_distance"].real) < 0.5
    assert result["nearer_to_train_p_value"].value > 0.01
    assert result["classifier_score"].value == pytest.approx(4, rel=0.1)


def test_bad_images_have_worse_scores_than_real_images():
    train_images, test = images(800, 0), images(800, 1)
    blurred = images(800, 2, classes=2, stddev=3.0)
    result = scores(blurred, test, train_images.features, conditional=True)
    worse_if_higher = ("frechet_distance", "kernel_distance", "two_sample_accuracy", "different_bins")
    for name in worse_if_higher:
        assert result[name].value > result[name].real + 2 * (result[name].standard_error or 0), name
    # Recall is left out: images with a large variance cover every real one.
    for name in ("precision", "coverage", "classifier_score"):
        assert result[name].value < result[name].real, name


def test_copies_are_flagged():
    train_images, test = images(400, 0), images(400, 1)
    result = scores(train_images, test, train_images.features, conditional=False)
    assert result["nearer_to_train"].value > 0.9
    assert result["nearer_to_train_p_value"].value < 0.01
    assert result["data_copying_z"].value < -3
    assert "conditional_accuracy" not in result


def test_the_first_test_images_are_not_preferred():
    """As many generated images as one of two clusters has, in a split that begins with this cluster: recall is half."""
    rng = np.random.default_rng(0)
    first, second, generated = (rng.normal(shift, 1, (200, 4)) for shift in (0, 40, 0))
    real = ImageFeatures(np.concatenate([first, second]), np.zeros(400, int), None)
    result = scores(ImageFeatures(generated, np.zeros(200, int), None), real, None, conditional=False)
    assert 0.3 < result["coverage"].value < 0.6
    assert 0.3 < result["recall"].value < 0.6


def test_the_scores_of_real_images_are_those_of_a_perfect_generator():
    """Also if the training images are of another distribution, and the test images in the order of the classes."""
    train_images, test = images(800, 0, stddev=2.0), in_order(images(900, 1))
    result = scores(images(800, 2), test, train_images.features, conditional=True)
    # The expected coverage of one distribution, for 450 images; see its docstring.
    expected = 1 - np.prod([(450 - i) / (900 - i) for i in range(1, 6)])
    assert result["coverage"].real == pytest.approx(expected, abs=0.03)
    assert result["two_sample_accuracy"].real == pytest.approx(0.5, abs=0.05)
    assert result["two_sample_p_value"].real > 0.01
    assert abs(result["kernel_distance"].real) < 5 * result["kernel_distance"].standard_error


def in_order(real):
    """The same images, in the order of their classes."""
    order = np.argsort(real.labels, kind="stable")
    return ImageFeatures(*(array[order] for array in real))


@pytest.mark.parametrize("by_class", [True, False])
def test_the_frechet_distance_of_the_halves_is_that_of_a_perfect_generator(by_class):
    """The halves have fewer images than the sets, and, if the labels are given, as many of each class."""

    def draw(size, seed):
        drawn, rng = images(size, seed), np.random.default_rng(seed)
        # Labels that are not given vary by chance.
        rows = np.arange(size) if by_class else rng.integers(0, size, size)
        return drawn._replace(features=drawn.features[rows] + rng.normal(size=(size, 8)), labels=drawn.labels[rows])

    results = [_frechet(draw(400, seed), in_order(draw(200, seed + 100)), by_class) for seed in range(60)]
    floors, values = zip(*results, strict=True)
    assert np.mean(floors) == pytest.approx(np.mean(values), rel=0.2)


def _frechet(generated, real, by_class):
    """(value of real images, value of generated images) of the Frechet distance, without the other scores."""
    result = dict(_distances(generated.features, real.features, split_halves(real, by_class)))["frechet_distance"]
    return result.real, result.value


@pytest.mark.thorough
def test_images_that_are_no_copies_are_nearer_to_train_if_the_test_images_are_of_another_kind():
    """A quarter of the test images is of a kind that no training image is. Chance is the share of validation images."""
    train_images, validation, generated, test = (images(800, seed) for seed in range(4))
    test.features[::4] += 30.0
    options = {"conditional": False, "validation": validation.features}
    nearer = scores(generated, test, train_images.features, **options)["nearer_to_train"]
    assert nearer.value > 0.52
    assert nearer.value == pytest.approx(nearer.real, abs=3 * nearer.standard_error)
    copies = scores(train_images, test, train_images.features, **options)["nearer_to_train"]
    assert copies.value > nearer.real + 0.3
    for too_few in (None, validation.features[:1]):
        result = scores(generated, test, train_images.features, conditional=False, validation=too_few)
        assert result["nearer_to_train"].real is None


def test_few_images_and_extractors_without_classes():
    generated, real = (images(8, seed)._replace(probabilities=None) for seed in (0, 1))
    result = scores(generated, real, generated.features, conditional=True)
    assert set(result) >= {"frechet_distance", "kernel_distance", "nearer_to_train"}
    assert not set(result) & {"conditional_accuracy", "classifier_score", "precision"}
    by_class = per_class_scores(generated, real, 5, with_accuracy=False)
    assert set(by_class) == {"per_class_frechet_distance"}
    assert by_class["per_class_frechet_distance"][4] is None


def test_classes_of_another_network_are_not_compared_with_those_of_the_data(finished_run, monkeypatch, tmp_path):
    def inception(*arguments):
        return lambda images: (
            images.reshape(len(images), -1)[:, :9] / 255,
            np.full((len(images), 1008), 1 / 1008),
        ), "x"

    monkeypatch.setitem(features.EXTRACTORS, "inception", inception)
    path, _ = finished_run
    result = score.evaluate(str(path), score.Protocol(24, features="inception"), str(tmp_path))
    assert result["classifier_score"] == pytest.approx(1)
    assert not {"conditional_accuracy", "per_class_accuracy", "classifier_accuracy"} & set(result)


@pytest.mark.thorough
def test_split_features_generator_and_file_follow_the_protocol(config, tmp_path, quick_classifier, capsys):
    configs.override(config, {"data.num_validation": 3, "num_steps": 4})
    path, cache = tmp_path / "run", tmp_path / "cache"
    session.train(config, str(path))
    arguments = ("--workdir", path, "--num_images", 24, "--data_dir", cache)
    assert run(evaluate, *arguments) == 0
    printed = capsys.readouterr().out
    assert "conditional accuracy" in printed
    assert "the classifier recognises" in printed
    assert run(evaluate, *arguments, "--split", "validation", "--features", "pixels", "--generator", "raw") == 0
    read = lambda name: json.loads((path / name).read_text())  # noqa: E731
    first, second = read("evaluation-24_images.json"), read("evaluation-24_images-pixels-validation-raw.json")
    assert (first["split"], first["generator"], first["num_real"]) == ("test", "ema", 6)
    assert (second["split"], second["generator"], second["features"], second["num_real"]) == (
        *("validation", "last", "pixels"),
        3,
    )
    assert first["scores_version"] == second["scores_version"] == 2
    assert not {"conditional_accuracy", "classifier_accuracy"} & set(second)
    assert first["classifier_accuracy"] == first["conditional_accuracy_real"]
    assert "always naming the most frequent class" in first["classifier_accuracy_note"]  # The images are noise.
    assert len(first["per_class_accuracy"]) == 3
    assert run(evaluate, *arguments, "--features", "pixel") == 2
    assert "did you mean pixels" in capsys.readouterr().err
    assert run(evaluate, *arguments, "--features", "inception") == 2
    assert "needs --inception_weights PATH" in capsys.readouterr().err
    assert run(evaluate, *arguments, "--features", "inception", "--inception_weights", "/nowhere") == 4


@pytest.mark.thorough
def test_classification_accuracy_score_of_good_and_of_mislabelled_images(tmp_path, monkeypatch):
    """Bright and dark images: "generated" images with correct labels give a high score, with swapped ones a low one."""
    recipe = Recipe(num_steps=60, batch_size=16, widths=(4, 4, 4))
    monkeypatch.setattr(features, "recipe_for", lambda *arguments: recipe)
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


@pytest.mark.thorough
def test_train_on_generated_adds_a_score_and_writes_another_file(finished_run, tmp_path, quick_classifier, capsys):
    arguments = ("--num_images", 12, "--data_dir", tmp_path / "cache", "--train_on_generated")
    path, config = finished_run
    assert run(evaluate, "--workdir", path, *arguments) == 0
    assert "classification accuracy score" in capsys.readouterr().out
    result = json.loads((path / "evaluation-12_images-train_on_generated.json").read_text())
    assert 0 <= result["classification_accuracy_score"] <= 1
    assert 0 <= result["classification_accuracy_score_real"] <= 1
    changes = {"generator.conditioning": "none", "discriminator.conditioning": "none", "num_steps": 1}
    configs.override(config, changes)
    session.train(config, str(tmp_path / "other"))
    assert run(evaluate, "--workdir", tmp_path / "other", *arguments) == 2
    assert "takes none" in capsys.readouterr().err


def test_validation_scores_need_validation_images(finished_run):
    path, _ = finished_run
    with pytest.raises(UserError, match="num_validation"):
        score.evaluate(str(path), score.Protocol(24, features="pixels", split="validation"))
