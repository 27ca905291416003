"""Images from a generator, many more than one batch, as an image file would hold them."""

from collections.abc import Callable

import jax
import numpy as np

from gan_jax.data.dataset import to_uint8
from gan_jax.types import GanState

_BATCH_SIZE = 500


def balanced_labels(num_images: int, num_classes: int) -> np.ndarray:
    """0, 1, ..., K - 1, 0, 1, ...: every class equally often, as far as it goes."""
    return np.arange(num_images, dtype=np.int32) % num_classes


def draw(sample: Callable, state: GanState, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """uint8 [N, H, W, C], one image for each label; `sample` is a compiled Gan.sample."""
    images = []
    for index, start in enumerate(range(0, len(labels), _BATCH_SIZE)):
        batch = labels[start : start + _BATCH_SIZE]
        # The last batch is filled up, so that one program serves them all.
        full = np.concatenate([batch, np.zeros(_BATCH_SIZE - len(batch), np.int32)])
        key = jax.random.fold_in(jax.random.key(seed), index)
        images.append(to_uint8(sample(state, key, full))[: len(batch)])
    return np.concatenate(images)
