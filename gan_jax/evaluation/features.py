"""The features that scores are computed on: of a classifier, of a network of ImageNet, pixels, or thumbnails.

The classifier is trained once for each data set and then cached; that of MNIST's digits is a file of the package.
Images of one class have none.
An extractor is a function uint8 [N, H, W, C] -> (features [N, F], probabilities [N, K] or None).
"""

import pathlib
from collections.abc import Callable

import jax
import numpy as np
from flax import traverse_util

from gan_jax.data.dataset import Dataset, Split
from gan_jax.evaluation import digits, efficientnet, efficientnet_weights
from gan_jax.evaluation.classifier import Classifier, template, train_classifier
from gan_jax.evaluation.inception import NAME, NUM_FEATURES, InceptionFeatures, probabilities
from gan_jax.evaluation.inception_weights import SOURCE, load_variables
from gan_jax.evaluation.recipes import Recipe, recipe_for
from gan_jax.evaluation.thumbnails import NAME as THUMBNAILS
from gan_jax.evaluation.thumbnails import SIDE, thumbnails
from gan_jax.system import cache
from gan_jax.system.errors import UserError
from gan_jax.system.extras import install
from gan_jax.system.progress import Progress

ONE_CLASS = (
    "a classifier needs two or more classes, so the scores use thumbnails, the images reduced to "
    f"{SIDE} x {SIDE} pixels. Better: {install('imagenet')}, then evaluate --features imagenet"
)


def classifier(dataset: Dataset, data_dir: str = "", flips: str = "auto") -> tuple[Classifier, str]:
    """(classifier, name of its features): for MNIST's digits the fixed one (see digits.py), otherwise one for the
    TRAINING split (see `Split.in_memory`), cached or trained now.

    flips: config.eval.classifier_flips.
    """
    if flips != "always" and (fixed := digits.fixed_classifier(dataset)):
        return fixed, f"classifier-mnist-{fixed.digest}"
    return cached_classifier(dataset.train.in_memory(), dataset.num_classes, data_dir, flips)


def cached_classifier(
    split: Split, num_classes: int, data_dir: str = "", flips: str = "auto"
) -> tuple[Classifier, str]:
    """(classifier, name of its features) for these images and labels, from the cache or trained now."""
    images, labels = split
    recipe = recipe_for(images.shape[1:], len(labels), flips)
    digest = recipe.digest(images, labels)
    path = cache.folder(data_dir) / "classifiers" / f"{digest}.npz"
    if path.is_file():
        trained = Classifier(_read(path, template(images.shape[1:], num_classes, recipe)), num_classes, recipe)
    else:
        trained = fresh_classifier(split, num_classes, recipe, f"classifier {digest}")
        cache.write(path, traverse_util.flatten_dict(trained.variables, sep="/"))
    return trained, f"classifier-{digest}-{trained.digest}"


def fresh_classifier(split: Split, num_classes: int, recipe: Recipe, what: str) -> Classifier:
    """Trains a classifier, without the cache. what: its name in the progress line."""
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


def _classifier(dataset: Dataset, data_dir: str, weights: str, flips: str) -> tuple[Callable, str]:
    """Thumbnails if there is one class (see ONE_CLASS)."""
    return classifier(dataset, data_dir, flips) if dataset.num_classes > 1 else (thumbnails, THUMBNAILS)


def _thumbnails(dataset: Dataset, data_dir: str, weights: str, flips: str) -> tuple[Callable, str]:
    return thumbnails, THUMBNAILS


def _pixels(dataset: Dataset, data_dir: str, weights: str, flips: str) -> tuple[Callable, str]:
    return pixels, "pixels"


def _check_channels(name: str, dataset: Dataset) -> None:
    """UserError if the images are neither grey nor RGB, so that a network of photographs cannot take them."""
    if dataset.image_shape[2] not in (1, 3):
        raise UserError(f"--features {name} takes images of 1 or 3 channels, and these have {dataset.image_shape[2]}")


def _imagenet(dataset: Dataset, data_dir: str, weights: str, flips: str) -> tuple[Callable, str]:
    """No probabilities: the classes of ImageNet are not those of the data set."""
    _check_channels("imagenet", dataset)
    extract = efficientnet.EfficientNetFeatures(efficientnet_weights.load_variables())
    return (lambda images: (extract(images)[0], None)), extract.name


def _inception(dataset: Dataset, data_dir: str, weights: str, flips: str) -> tuple[Callable, str]:
    if not weights:
        raise UserError(f"--features inception needs --inception_weights PATH, a file to be downloaded: {SOURCE}")
    _check_channels("inception", dataset)
    extract = InceptionFeatures(load_variables(weights))

    def seen(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features, logits = extract(images)
        return features, probabilities(logits)

    return seen, NAME


# name -> function (dataset, data_dir, path of Inception's weights, config.eval.classifier_flips) -> (extractor, name of
# the features in results)
EXTRACTORS = {
    "classifier": _classifier,
    "imagenet": _imagenet,
    "inception": _inception,
    "pixels": _pixels,
    "thumbnails": _thumbnails,
}


def num_features(name: str, dataset: Dataset) -> int:
    """The number of features of each image that an extractor computes for this data set."""
    if name == "classifier" and dataset.num_classes == 1:
        name = "thumbnails"
    height, width, channels = dataset.image_shape
    numbers = {
        "classifier": recipe_for(dataset.image_shape, len(dataset.train.labels)).num_features,
        "imagenet": efficientnet.NUM_FEATURES,
        "inception": NUM_FEATURES,
        "pixels": height * width * channels,
        "thumbnails": min(height, SIDE) * min(width, SIDE) * channels,
    }
    return numbers[name]
