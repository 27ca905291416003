"""The features that scores are computed on: of a classifier, of Inception, or pixels.

The classifier is trained once for each data set and then cached.
An extractor is a function uint8 [N, H, W, C] -> (features [N, F], probabilities [N, K] or None).
"""

import math
import pathlib
from collections.abc import Callable

import jax
import numpy as np
from flax import traverse_util

from gan_jax.data.dataset import Dataset, Split
from gan_jax.evaluation.classifier import Classifier, Recipe, template, train_classifier
from gan_jax.evaluation.inception import NAME, NUM_FEATURES, InceptionFeatures, probabilities
from gan_jax.evaluation.inception_weights import SOURCE, load_variables
from gan_jax.system import cache
from gan_jax.system.errors import UserError
from gan_jax.system.progress import Progress


def classifier(dataset: Dataset, data_dir: str = "") -> tuple[Classifier, str]:
    """(classifier, name of its features) for the TRAINING split (see `Split.in_memory`), cached or trained now."""
    return cached_classifier(dataset.train.in_memory(), dataset.num_classes, data_dir)


def cached_classifier(split: Split, num_classes: int, data_dir: str = "") -> tuple[Classifier, str]:
    """(classifier, name of its features) for these images and labels, from the cache or trained now."""
    recipe, (images, labels) = Recipe(), split
    digest = recipe.digest(images, labels)
    path = cache.folder(data_dir) / "classifiers" / f"{digest}.npz"
    if path.is_file():
        trained = Classifier(_read(path, template(images.shape[1:], num_classes, recipe)), num_classes, recipe)
    else:
        trained = fresh_classifier(split, num_classes, f"classifier {digest}")
        cache.write(path, traverse_util.flatten_dict(trained.variables, sep="/"))
    return trained, f"classifier-{digest}-{trained.digest}"


def fresh_classifier(split: Split, num_classes: int, what: str) -> Classifier:
    """Trains a classifier by the same recipe, without the cache. what: its name in the progress line."""
    recipe = Recipe()
    progress = Progress(recipe.num_steps, 0, what)
    trained = train_classifier(*split, num_classes, recipe, progress.update)
    progress.close()
    return trained


def _read(path: pathlib.Path, like: dict) -> dict:
    arrays = cache.read(path, "cached classifier")
    try:
        variables = traverse_util.unflatten_dict(arrays, sep="/")
        return jax.tree.map(lambda leaf, array: array.reshape(leaf.shape), like, variables)
    except Exception as error:  # Other names, structure or shapes.
        raise cache.damaged(path, "cached classifier", error) from error


def pixels(images: np.ndarray) -> tuple[np.ndarray, None]:
    """Pixels in [0, 1] as features."""
    return images.reshape(len(images), -1).astype(np.float32) / 255.0, None


def _classifier(dataset: Dataset, data_dir: str, weights: str) -> tuple[Callable, str]:
    return classifier(dataset, data_dir)


def _pixels(dataset: Dataset, data_dir: str, weights: str) -> tuple[Callable, str]:
    return pixels, "pixels"


def _inception(dataset: Dataset, data_dir: str, weights: str) -> tuple[Callable, str]:
    if not weights:
        raise UserError(f"--features inception needs --inception_weights PATH, a file to be downloaded: {SOURCE}")
    extract = InceptionFeatures(load_variables(weights))

    def seen(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features, logits = extract(images)
        return features, probabilities(logits)

    return seen, NAME


# name -> function (dataset, data_dir, path of Inception's weights) -> (extractor, name of the features in results)
EXTRACTORS = {"classifier": _classifier, "inception": _inception, "pixels": _pixels}


def num_features(name: str, image_shape: tuple[int, ...]) -> int:
    """The number of features that an extractor computes of each image."""
    return {"classifier": Recipe().num_features, "inception": NUM_FEATURES, "pixels": math.prod(image_shape)}[name]
