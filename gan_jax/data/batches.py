"""Which images each training step reads, and the batches made of them."""

import functools
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.dataset import to_float
from gan_jax.devices.mesh import spread
from gan_jax.gan.types import Batch


class BatchOrder:
    """Which images each training step reads: a pure function of (seed, step).

    The images are dealt epoch after epoch, each epoch in an order of its own; a batch may straddle two epochs, so that
    no image is dropped and every batch is full. `stream` tells apart the orders of one run.
    """

    def __init__(self, seed: int, num_images: int, d_steps: int, batch_size: int, stream: int = 0):
        self._arguments = (seed, num_images, d_steps, batch_size, stream)
        self._num_images, self._shape = num_images, (d_steps, batch_size)
        words = [stream] if stream else []
        self._epoch = functools.lru_cache(maxsize=8)(
            lambda epoch: np.random.default_rng([seed, epoch, *words]).permutation(num_images).astype(np.int32)
        )

    def __reduce__(self) -> tuple:
        return BatchOrder, self._arguments  # Workers that read images get it by pickle, without its permutations.

    def __call__(self, first_step: int, num_steps: int) -> np.ndarray:
        """Indices int32 [num_steps, d_steps, batch_size] of the steps from `first_step` on."""
        per_step = self._shape[0] * self._shape[1]
        position, missing, pieces = first_step * per_step, num_steps * per_step, []
        while missing > 0:
            epoch, offset = divmod(position, self._num_images)
            pieces.append(self._epoch(epoch)[offset : offset + missing])
            position, missing = position + len(pieces[-1]), missing - len(pieces[-1])
        return np.concatenate(pieces).reshape(num_steps, *self._shape)


class Indices(NamedTuple):
    """What each step reads: images by their numbers, int32 [steps, d_steps, B], of all and of the labelled (or None).

    images: None where the data are the call's own batches [steps, d_steps, B, ...], one step after the other.
    of_g: of all again, [steps, 1, B], where G's update has real images of its own.
    taught: class probabilities [steps, d_steps, B, K] that D learns of them, where networks teach each other.
    """

    images: np.ndarray | None
    labelled: np.ndarray | None
    of_g: np.ndarray | None = None
    taught: jax.Array | None = None


class Order:
    """The indices of any steps of a run: a pure function of (seed, step)."""

    def __init__(self, config: ConfigDict, data: Batch):
        seed, size, d_steps = config.seed, config.batch_size, config.d_steps
        self._orders = {"images": BatchOrder(seed, len(data.labels), d_steps, size)}
        if data.labelled:
            self._orders["labelled"] = BatchOrder(seed, len(data.labelled.labels), d_steps, size, stream=1)
        if config.g_batch == "own":
            self._orders["of_g"] = BatchOrder(seed, len(data.labels), 1, size, stream=2)
        self._steps = config.steps_per_call

    def __call__(self, first_step: int, num_steps: int) -> Indices:
        """Indices of the steps from `first_step` on, filled up to the length of a call."""

        def fill(order: BatchOrder) -> np.ndarray:
            known = order(first_step, num_steps)
            indices = np.zeros((self._steps, *known.shape[1:]), np.int32)
            indices[:num_steps] = known
            return indices

        return Indices(**{"labelled": None} | {name: fill(order) for name, order in self._orders.items()})


def gather(data: Batch, indices: Indices, step: jax.Array | int) -> Batch:
    """The batches of one step, as floats."""

    def take(source: Batch, rows: jax.Array) -> Batch:
        return Batch(spread(to_float(source.images[rows]), 1), spread(source.labels[rows], 1))

    labelled = take(data.labelled, indices.labelled[step]) if data.labelled else None
    of_g = None if indices.of_g is None else take(data, indices.of_g[step])
    batches = take(data, step if indices.images is None else indices.images[step])
    taught = None if indices.taught is None else spread(indices.taught[step], 1)
    return batches._replace(labelled=labelled, of_g=of_g, taught=taught)
