"""The fixed classifier of MNIST's digits. Its weights are a file of the package, so scores of two machines compare.

It scores data sets of MNIST's images only, not all images of digits. `python -m experiments.digits_classifier` made
digits.npz (weights, hashes of images) and digits.json (how it was trained, and its accuracy).
"""

import functools
import hashlib
import pathlib

import numpy as np
from flax import traverse_util

from gan_jax.data.dataset import Dataset, Split
from gan_jax.evaluation.classifier import Classifier
from gan_jax.evaluation.recipes import Recipe

PATH = pathlib.Path(__file__).with_suffix(".npz")
RECIPE = Recipe()
_SHAPE = (28, 28, 1)
_DIGITS = tuple("0123456789")


def image_hashes(images: np.ndarray, digits: np.ndarray) -> np.ndarray:
    """uint32 [N]: the first four bytes of the sha256 of each image uint8 [N, 28, 28, 1] and its digit."""
    hashes = [
        hashlib.sha256(image.tobytes() + bytes([digit])).digest()[:4]
        for image, digit in zip(images, digits.tolist(), strict=True)
    ]
    return np.frombuffer(b"".join(hashes), ">u4").astype(np.uint32)


@functools.cache
def _file() -> dict[str, np.ndarray]:
    with np.load(PATH, allow_pickle=False) as arrays:
        return dict(arrays)


def fixed_classifier(dataset: Dataset) -> Classifier | None:
    """The classifier, restricted to the classes of the data set; None if it is not for this data set.

    It is for data sets of which every image is one of MNIST's 70,000, with MNIST's label (the class names are digits,
    perhaps not all), and no test image is one of the 59,000 that the classifier was trained on. So it is for MNIST and
    for mnist_5k, from any source, and for subsets of them that keep the splits. Validation images may be among the
    59,000: they choose a state of one run, and are not reported.
    """
    if dataset.image_shape != _SHAPE or not set(dataset.class_names) <= set(_DIGITS) or not dataset.has_labels:
        return None
    trained, others = _file()["trained_hashes"], _file()["other_hashes"]
    splits = [(dataset.test, others)]
    splits += [(split, np.concatenate([trained, others])) for split in (dataset.train, dataset.validation) if split]
    if not all(_is_of(split, dataset.class_names, known) for split, known in splits):
        return None
    classes = tuple(int(name) for name in dataset.class_names)
    return Classifier(_variables(), len(_DIGITS), RECIPE, classes)


def _is_of(split: Split, class_names: tuple[str, ...], known: np.ndarray) -> bool:
    """Whether the hash of every image and label is in `known`. Most other data sets differ in the first image."""
    images, labels = split.in_memory()
    digits = np.array([int(name) for name in class_names])[labels]
    return all(
        bool(np.isin(image_hashes(images[rows], digits[rows]), known).all()) for rows in (slice(1), slice(1, None))
    )


@functools.cache
def _variables() -> dict:
    """The variables of the network in float32. The file has half the precision, and exactly these numbers."""
    weights = {name: array for name, array in _file().items() if not name.endswith("_hashes")}
    return traverse_util.unflatten_dict({name: array.astype(np.float32) for name, array in weights.items()}, sep="/")
