"""Batched inference for scoring: generates many images as uint8, or classifies many images with D."""

from collections.abc import Callable

import jax
import numpy as np

from gan_jax.data.dataset import to_float, to_uint8
from gan_jax.gan.types import GanState

_BATCH_SIZE = 500  # images in one forward pass


def balanced_labels(num_images: int, num_classes: int) -> np.ndarray:
    """0, 1, ..., K - 1, 0, 1, ...: int32 [num_images]; the counts of classes differ by one at most."""
    return np.arange(num_images, dtype=np.int32) % num_classes


def generate(sample: Callable, state: GanState, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """uint8 [N, H, W, C], one image for each label; `sample` is a compiled Gan.sample."""
    images = []
    for index, start in enumerate(range(0, len(labels), _BATCH_SIZE)):
        batch = labels[start : start + _BATCH_SIZE]
        # The last batch is filled up, so that one program serves them all.
        full = np.concatenate([batch, np.zeros(_BATCH_SIZE - len(batch), np.int32)])
        key = jax.random.fold_in(jax.random.key(seed), index)
        images.append(to_uint8(sample(state, key, full))[: len(batch)])
    return np.concatenate(images)


def classify(judge: Callable, state: GanState, images: np.ndarray, num_classes: int) -> np.ndarray:
    """log p(class | image, real), float32 [N, K], by a discriminator with class logits.

    judge: a compiled Gan.discriminate.
    images: uint8 [N, H, W, C].
    If the discriminator has an additional class for generated images, this class is left out.
    """
    found = []
    for batch in np.array_split(images, max(len(images) // _BATCH_SIZE, 1)):
        nothing = np.zeros(len(batch), np.int32)
        logits = judge(state, to_float(batch), nothing).class_logits[:, :num_classes]
        found.append(np.asarray(jax.nn.log_softmax(logits)))
    return np.concatenate(found)
