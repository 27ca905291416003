"""Which images each training step reads, as a function of (seed, step), and how they become batches."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.dataset import to_float
from gan_jax.devices.mesh import with_sharding
from gan_jax.gan.types import Batch
from gan_jax.system import randomness
from gan_jax.system.config import choose

# The real images of G's update: the last batch of D ("last"), or a separate batch ("own").
G_BATCHES = ("last", "own")


class BatchPlan(NamedTuple):
    """How many images a step reads, and how many steps are in a call. `g_batch`: see G_BATCHES.

    fixed_randomness: sources of randomness that do not depend on the seed (system/randomness.py).
    """

    batch_size: int
    d_steps: int
    steps_per_call: int
    g_batch: str = "last"
    stream_workers: int = 0
    fixed_randomness: str = ""


def batch_plan(config: ConfigDict) -> BatchPlan:
    """The plan of a config; UserError for an unknown `g_batch` or source of randomness."""
    randomness.check(config.fixed_randomness)
    g_batch = choose(G_BATCHES, config.g_batch, "g_batch")
    return BatchPlan(
        config.batch_size,
        config.d_steps,
        config.steps_per_call,
        g_batch,
        config.data.stream_workers,
        config.fixed_randomness,
    )


class BatchOrder:
    """Which images each training step reads: a pure function of (seed, step).

    Each epoch is a new random permutation of all images. A batch may contain the end of one epoch and the start of the
    next one, so every batch is full and no image is skipped. Orders of one run with different `stream` are independent.
    """

    def __init__(self, seed: int, num_images: int, d_steps: int, batch_size: int, stream: int = 0):
        self._arguments = (seed, num_images, d_steps, batch_size, stream)
        self._num_images, self._shape = num_images, (d_steps, batch_size)
        stream_entropy = [stream] if stream else []
        self._epoch = functools.lru_cache(maxsize=8)(
            lambda epoch: np.random.default_rng([seed, epoch, *stream_entropy]).permutation(num_images).astype(np.int32)
        )

    def __reduce__(self) -> tuple:
        return BatchOrder, self._arguments  # Pickled for the reader processes, without the permutations.

    def __call__(self, first_step: int, num_steps: int) -> np.ndarray:
        """Image indices int32 [num_steps, d_steps, batch_size] of `num_steps` steps, starting at `first_step`."""
        per_step = self._shape[0] * self._shape[1]
        position, num_missing, pieces = first_step * per_step, num_steps * per_step, []
        while num_missing > 0:
            epoch, offset = divmod(position, self._num_images)
            pieces.append(self._epoch(epoch)[offset : offset + num_missing])
            position, num_missing = position + len(pieces[-1]), num_missing - len(pieces[-1])
        return np.concatenate(pieces).reshape(num_steps, *self._shape)


class Indices(NamedTuple):
    """The image indices that each step of a call reads, int32 [steps, d_steps, B].

    images: into the training images; None if the data are already batches of this call, [steps, d_steps, B, ...].
    labelled: into the images with a known label; None if every label is known.
    of_g: into the training images, for G's update, [steps, 1, B]; None if G's update uses the last batch of D.
    extras: additional arrays [steps, d_steps, B, ...] for the losses, by name (see `Batch.extras`).
    """

    images: np.ndarray | None
    labelled: np.ndarray | None
    of_g: np.ndarray | None = None
    extras: Mapping[str, jax.Array] = {}


class BatchIndices:
    """The indices of all steps of one seed: a pure function of (seed, step)."""

    def __init__(self, plan: BatchPlan, seed: int, data: Batch):
        size, d_steps = plan.batch_size, plan.d_steps
        seed = randomness.seed_of("order", seed, plan.fixed_randomness)
        self._orders = {"images": BatchOrder(seed, len(data.labels), d_steps, size)}
        if data.labelled:
            self._orders["labelled"] = BatchOrder(seed, len(data.labelled.labels), d_steps, size, stream=1)
        if plan.g_batch == "own":
            self._orders["of_g"] = BatchOrder(seed, len(data.labels), 1, size, stream=2)
        self._steps = plan.steps_per_call

    def __call__(self, first_step: int, num_steps: int) -> Indices:
        """Indices of `num_steps` steps, starting at `first_step`; padded with 0 to the length of a call."""

        def padded(order: BatchOrder) -> np.ndarray:
            indices = order(first_step, num_steps)
            padded_indices = np.zeros((self._steps, *indices.shape[1:]), np.int32)
            padded_indices[:num_steps] = indices
            return padded_indices

        return Indices(**{"labelled": None} | {name: padded(order) for name, order in self._orders.items()})


def gather(data: Batch, indices: Indices, step: jax.Array | int) -> Batch:
    """The batches of one step, as floats. step: position of the step in the call."""

    def take(source: Batch, rows: jax.Array) -> Batch:
        return Batch(with_sharding(to_float(source.images[rows]), 1), with_sharding(source.labels[rows], 1))

    labelled = take(data.labelled, indices.labelled[step]) if data.labelled else None
    of_g = None if indices.of_g is None else take(data, indices.of_g[step])
    batches = take(data, step if indices.images is None else indices.images[step])
    extras = {name: with_sharding(array[step], 1) for name, array in indices.extras.items()}
    return batches._replace(labelled=labelled, of_g=of_g, extras=extras)


def abstract_batches(plan: BatchPlan, image_shape: tuple[int, ...], labelled: bool) -> Batch:
    """The shapes and types of the batches that `gather` returns, without extras."""

    def batches(count: int) -> Batch:
        size = (count, plan.batch_size)
        return Batch(jax.ShapeDtypeStruct((*size, *image_shape), np.float32), jax.ShapeDtypeStruct(size, np.int32))

    of_g = batches(1) if plan.g_batch == "own" else None
    labelled_batches = batches(plan.d_steps) if labelled else None
    return batches(plan.d_steps)._replace(labelled=labelled_batches, of_g=of_g)
