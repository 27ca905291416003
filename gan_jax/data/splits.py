"""Checks the two splits that a source gives, and makes the test split of a data set without one."""

import numpy as np

from gan_jax.data.dataset import Split
from gan_jax.system.errors import DataUnavailable

_OF = 10  # Every tenth image of a class becomes a test image.


def check_split(split: Split, what: str) -> Split:
    """The split, in memory, if it has images uint8 [N, H, W, C] and a label for each; otherwise DataUnavailable.

    what: the set and its place, for the message.
    """
    images, labels = split
    if images.ndim != 4 or images.dtype != np.uint8 or 0 in images.shape[1:]:
        raise DataUnavailable(f"{what} has images of {images.dtype} {list(images.shape)}, not of uint8 [N, H, W, C]")
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise DataUnavailable(f"{what} has no class label for each of its {len(images)} images")
    if not len(labels):
        raise DataUnavailable(f"{what} has a split without images")
    if labels.min() < 0:
        raise DataUnavailable(f"{what} has {np.sum(labels < 0)} images without a label")
    return Split(images, labels.astype(np.int32))


def split_off_test(train: Split, what: str) -> tuple[Split, Split]:
    """(train, test): every tenth image of each class, in random order, becomes a test image; the same for every run.

    DataUnavailable if no class has ten images.
    """
    rng, is_test = np.random.default_rng(0), np.zeros(len(train.labels), bool)
    for label in np.unique(train.labels):
        rows = rng.permutation(np.flatnonzero(train.labels == label))
        is_test[rows[_OF - 1 :: _OF]] = True
    if not is_test.any():
        raise DataUnavailable(f"{what} has no test split, and too few images for one: no class has {_OF}")
    return train.select(~is_test), train.select(is_test)
