"""Many more images than one batch: drawn from a generator as an image file would hold them, or classified by D."""

from collections.abc import Callable

import jax
import numpy as np

from gan_jax.data.dataset import to_float, to_uint8
from gan_jax.evaluation.batching import in_batches
from gan_jax.gan.types import GanState

_BATCH_SIZE = 500  # images in one look of either network


def balanced_labels(num_images: int, num_classes: int) -> np.ndarray:
    """0, 1, ..., K - 1, 0, 1, ...: every class equally often, as far as it goes."""
    return np.arange(num_images, dtype=np.int32) % num_classes


def generate(sample: Callable, state: GanState, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """uint8 [N, H, W, C], one image for each label; `sample` is a compiled Gan.sample."""

    def images(index: int, batch: np.ndarray) -> np.ndarray:
        return to_uint8(sample(state, jax.random.fold_in(jax.random.key(seed), index), batch))

    return in_batches(images, [labels], _BATCH_SIZE)


def classify(judge: Callable, state: GanState, images: np.ndarray, num_classes: int) -> np.ndarray:
    """log p(class | image, real) by a discriminator with class logits, float32 [N, K]; `judge` is a compiled Gan.judge.

    Its class for generated images, where it has one, is left out.
    """

    def log_probabilities(index: int, batch: np.ndarray) -> jax.Array:
        class_logits = judge(state, to_float(batch), np.zeros(len(batch), np.int32)).class_logits
        return jax.nn.log_softmax(class_logits[:, :num_classes])

    # Without padding, as scores on record were computed: another batch size rounds differently.
    return in_batches(log_probabilities, [images], _BATCH_SIZE, even=True)
