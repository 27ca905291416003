"""The scoring classifier: its recipes, colour images, flips, and whether it is good enough."""

import dataclasses

import jax
import numpy as np
import pytest

from gan_jax.data.classes import numbered
from gan_jax.data.dataset import Dataset, Source, Split
from gan_jax.evaluation import features
from gan_jax.evaluation.classifier import Classifier, _augment, template, train_classifier
from gan_jax.evaluation.classifier_check import weakness
from gan_jax.evaluation.metrics.accuracy import accuracy
from gan_jax.evaluation.recipes import Recipe, ResidualRecipe, recipe_for
from gan_jax.system.errors import UserError


def test_grey_images_keep_their_recipe_and_its_name():
    """The name of published results and of cached classifiers."""
    images = np.arange(4 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(4, 28, 28, 1)
    labels = np.arange(4, dtype=np.int32)
    for count in (2, 3500, 60_000):
        recipe = recipe_for((28, 28, 1), count)
        assert recipe == Recipe()
        assert recipe.digest(images, labels) == "9836aa7a"
    variables = template((28, 28, 1), 10, Recipe())
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 428_650
    assert {leaf.shape for leaf in jax.tree.leaves(variables["params"])} >= {(5, 5, 1, 32), (2048, 128), (128, 10)}


def test_recipes_follow_the_images():
    colour = recipe_for((32, 32, 3), 50_000)
    assert (colour.flips, colour.stem_stride) == (True, 1)
    assert not recipe_for((32, 32, 3), 50_000, "never").flips
    assert recipe_for((28, 28, 1), 50_000, "always").flips
    assert not recipe_for((64, 64, 1), 50_000).flips
    assert recipe_for((48, 48, 1), 50_000) == Recipe()
    assert [recipe_for((side, side, 3), 9).stem_stride for side in (8, 48, 64, 96, 128, 256)] == [1, 1, 2, 2, 4, 8]
    steps = [recipe_for((32, 32, 3), count).num_steps for count in (10, 1000, 5000, 50_000, 10**6)]
    assert steps == sorted(steps)
    assert steps[0] < steps[2] < steps[3] == steps[4]
    with pytest.raises(UserError, match="eval.classifier_flips='yes' is unknown"):
        recipe_for((32, 32, 3), 9, "yes")


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (5, 7, 2), (9, 9, 3), (32, 32, 3), (64, 64, 3), (128, 96, 3), (128, 128, 1)]
)
def test_features_of_any_shape(shape):
    recipe = recipe_for(shape, 100)
    assert isinstance(recipe, ResidualRecipe)
    assert recipe.widths[-1] == recipe.num_features
    weights = sum(leaf.size for leaf in jax.tree.leaves(template(shape, 10, recipe)["params"]))
    assert weights < 1.2 * sum(leaf.size for leaf in jax.tree.leaves(template((32, 32, 3), 10, recipe)["params"]))


def _halves(size, seed):
    """Colour images of two classes: the left half is red, or the right half; noise, and any brightness."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, size).astype(np.int32)
    images = rng.integers(0, 100, (size, 8, 8, 3))
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 4, 0] += rng.integers(60, 150)
    return images.astype(np.uint8), labels


def _small(flips):
    changes = {"widths": (8, 16), "kernels": (3, 3), "num_features": 16, "num_steps": 60, "batch_size": 32}
    return dataclasses.replace(recipe_for((8, 8, 3), 200, flips), **changes)


def _held_out_accuracy(recipe):
    held_out, labels = _halves(200, 1)
    found, probabilities = train_classifier(*_halves(200, 0), 2, recipe)(held_out)
    assert found.shape == (200, 16)
    return accuracy(probabilities.argmax(axis=1), labels)


def test_a_colour_classifier_learns():
    assert _held_out_accuracy(_small("never")) > 0.95


@pytest.mark.parametrize("flips", ["always", "never"])
def test_only_with_flips_mirror_images_have_equal_features(flips):
    recipe, rng, (images, _) = _small(flips), np.random.default_rng(0), _halves(4, 0)
    variables = jax.tree.map(lambda leaf: rng.uniform(0, 1, leaf.shape), template((8, 8, 3), 2, recipe))
    classify = Classifier(variables, 2, recipe)
    found, mirrored = (classify(x, batch_size=4)[0] for x in (images, images[:, :, ::-1]))
    assert np.allclose(found, mirrored, rtol=1e-4) == (flips == "always")


@pytest.mark.slow
def test_with_flips_mirror_images_are_one_class():
    assert _held_out_accuracy(_small("auto")) < 0.7


def test_each_image_has_its_own_shift_and_flip():
    recipe = ResidualRecipe(max_shift=1, flips=True)
    image = np.random.default_rng(0).normal(size=(1, 4, 4, 3)).astype(np.float32)
    results = np.asarray(_augment(np.repeat(image, 300, axis=0), jax.random.key(0), recipe))
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)), mode="edge")
    crops = {padded[i : i + 4, j : j + 4][:, ::step].tobytes() for i in range(3) for j in range(3) for step in (1, -1)}
    assert {result.tobytes() for result in results} == crops
    still = np.asarray(
        _augment(np.repeat(image, 300, axis=0), jax.random.key(0), dataclasses.replace(recipe, flips=False))
    )
    assert len({result.tobytes() for result in still}) == 9


def test_the_setting_reaches_the_classifier(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(features, "cached_classifier", lambda split, classes, data_dir, flips: seen.append(flips))
    split = Split(*_halves(6, 0))
    data = Dataset("a", Source("b"), "a", split, split, numbered(2))
    for flips in ("auto", "never"):
        features.EXTRACTORS["classifier"](data, str(tmp_path), "", flips)
    assert seen == ["auto", "never"]


def test_weak_classifiers():
    names, rng = ("cat", "dog", "ship"), np.random.default_rng(0)
    labels = np.arange(300) % 3
    right = np.where(rng.random(300) < 0.7, labels, rng.integers(0, 3, 300))
    assert weakness(right, labels, names) == ""
    chance = weakness(np.zeros(300, int), labels, names)
    assert "recognises 33.3% of these real images, which is not clearly more than" in chance
    # Ships are taken for dogs, and half of the dogs for cats.
    mistaken = np.where(labels == 2, 1, np.where((labels == 1) & (rng.random(300) < 0.5), 0, labels))
    assert "takes more images of class ship for dog than of dog itself" in weakness(mistaken, labels, names)
    # The same shares of few images may be chance, and so may the accuracy.
    assert "not clearly more" in weakness(mistaken[:9], labels[:9], names)
    # All images are of one class.
    assert "not clearly more" in weakness(np.zeros(9, int), np.zeros(9, int), names)


@pytest.mark.parametrize(("right", "weak"), [(45, True), (65, False)])
def test_more_than_the_most_frequent_class(right, weak):
    """50 of 100 images are of one class: 45 right ones are no more, 65 are (P of 65 or more is 0.2%)."""
    labels = np.arange(100) % 2
    predicted = np.where(np.arange(100) < right, labels, 1 - labels)
    assert bool(weakness(predicted, labels, ("a", "b"))) == weak
