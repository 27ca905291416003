"""Batched inference for scoring: generates many images as uint8, or classifies many images with D."""

from collections.abc import Callable

import jax
import numpy as np

from gan_jax.data.dataset import to_float, to_uint8
from gan_jax.evaluation.batching import in_batches
from gan_jax.gan.types import GanState

_BATCH_SIZE = 500  # images in one forward pass


def balanced_labels(num_images: int, num_classes: int) -> np.ndarray:
    """0, 1, ..., K - 1, 0, 1, ...: int32 [num_images]; the counts of classes differ by one at most."""
    return np.arange(num_images, dtype=np.int32) % num_classes


def generate(sample: Callable, state: GanState, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """uint8 [N, H, W, C], one image for each label; `sample` is a compiled Gan.sample."""

    def images(index: int, batch: np.ndarray) -> np.ndarray:
        return to_uint8(sample(state, jax.random.fold_in(jax.random.key(seed), index), batch))

    return in_batches(images, [labels], _BATCH_SIZE)


def classify(discriminate: Callable, state: GanState, images: np.ndarray, num_classes: int) -> np.ndarray:
    """log p(class | image, real), float32 [N, K], by a discriminator with class logits.

    discriminate: a compiled Gan.discriminate.
    images: uint8 [N, H, W, C].
    If the discriminator has an additional class for generated images, this class is left out.
    """

    def log_probabilities(index: int, batch: np.ndarray) -> jax.Array:
        class_logits = discriminate(state, to_float(batch), np.zeros(len(batch), np.int32)).class_logits
        return jax.nn.log_softmax(class_logits[:, :num_classes])

    # Without padding, as scores on record were computed: another batch size rounds differently.
    return in_batches(log_probabilities, [images], _BATCH_SIZE, even=True)
