"""Checks the two splits that a source gives, and makes the test split of a data set without one."""

import hashlib
from collections.abc import Sequence

import numpy as np

from gan_jax.data.dataset import Split
from gan_jax.system.errors import DataUnavailable


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


def split_off_test(train: Split, what: str, share: float) -> tuple[Split, Split]:
    """(train, test): `share` of the images of each class, chosen at random, are test images; the same for every run.

    DataUnavailable if no class has enough images.
    """
    rng, is_test = np.random.default_rng(0), np.zeros(len(train.labels), bool)
    for label in np.unique(train.labels):
        rows = rng.permutation(np.flatnonzero(train.labels == label))
        # Where the share of the images so far reaches another whole number: every tenth image for 0.1.
        counts = np.floor(np.arange(len(rows) + 1) * share + 1e-9)
        is_test[rows[np.diff(counts) > 0]] = True
    if not is_test.any():
        raise DataUnavailable(
            f"{what} has no test split, and too few images for one: no class has {int(np.ceil(1 / share))} "
            f"(config.data.test_share={share:.4g})"
        )
    return train.select(~is_test), train.select(is_test)


def split_off_by_name(train: Split, names: Sequence[str], what: str, share: float) -> tuple[Split, Split]:
    """(train, test): an image is a test image if the hash of its name is below `share`.

    So it stays one if other images are added or removed. DataUnavailable if a split would be empty.
    """
    digests = [hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8] for name in names]
    is_test = np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64) < np.uint64(share * 2**64)
    if is_test.all() or not is_test.any():
        raise DataUnavailable(
            f"{what} has no test folder, and config.data.test_share={share:.4g} makes {is_test.sum()} of its "
            f"{len(names)} images test images; set another share, or put some images into a folder test"
        )
    return train.select(~is_test), train.select(is_test)
