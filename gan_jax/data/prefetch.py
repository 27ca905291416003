"""The inputs of one compiled call of several steps: indices of images on the device, or batches from files."""

from collections.abc import Sequence
from typing import Protocol

import jax
import numpy as np

from gan_jax.data import stream
from gan_jax.data.batches import BatchIndices, BatchOrder, BatchPlan, Indices
from gan_jax.data.stored import StoredImages
from gan_jax.devices.mesh import ManyDevices, OneDevice
from gan_jax.gan.types import Batch
from gan_jax.system.errors import UserError


class Inputs(Protocol):
    """(first step, number of steps) -> (data, indices), the arguments of `training.compiled_steps`.

    waited: total seconds that the calls waited for images.
    """

    waited: float

    def __call__(self, step: int, count: int) -> tuple[Batch, Indices]: ...

    def close(self) -> None: ...


class Resident:
    """All images are on every device; a call needs only indices."""

    waited = 0.0

    def __init__(self, plan: BatchPlan, seed: int, data: Batch, images: jax.Array, placement: OneDevice | ManyDevices):
        """images: the images of `data`, already on the devices."""
        self._indices, self._placement = BatchIndices(plan, seed, data), placement
        self._data = placement.replicate(data._replace(images=None))._replace(images=images)

    def __call__(self, step: int, count: int) -> tuple[Batch, Indices]:
        return self._data, self._placement.shard_batch(self._indices(step, count), seeds=False)

    def close(self) -> None:
        pass


class Streamed:
    """Images in files: a call gets batches uint8 [steps, d_steps, B, ...], in the same order as from memory.

    The device has the batches of two calls; the host prefetches one more. The labelled images are few and stay on the
    device. If several processes train, each process reads the part of every batch that is on its devices.
    """

    def __init__(self, plan: BatchPlan, seed: int, data: Batch, placement: OneDevice | ManyDevices):
        self._indices, self._labels, self._placement = BatchIndices(plan, seed, data), data.labels, placement
        self._labelled = placement.replicate(data.labelled)
        self._steps = plan.steps_per_call
        self._stream = stream.Stream(
            data.images,
            BatchOrder(seed, len(data.labels), plan.d_steps, plan.batch_size),
            plan.batch_size,
            ahead=plan.steps_per_call,
            workers=plan.stream_workers,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )

    @property
    def waited(self) -> float:
        return self._stream.waited

    def __call__(self, step: int, count: int) -> tuple[Batch, Indices]:
        step_images, indices = self._stream(step, count), self._indices(step, count)
        # New memory for each call, because the device may read it after this method returns.
        images = np.zeros((self._steps, *step_images[0].shape), np.uint8)
        for index, batch in enumerate(step_images):
            images[index] = batch
        labels = self._labels[indices.images[:, :, self._stream.share]]
        batches = self._placement.shard_local(Batch(images, labels))._replace(labelled=self._labelled)
        return batches, self._placement.shard_batch(indices._replace(images=None), seeds=False)

    def close(self) -> None:
        self._stream.close()


def check_stream(plan: BatchPlan, process_count: int) -> None:
    """UserError for a plan that does not work with images in files."""
    if plan.g_batch != "last":
        raise UserError(
            f"g_batch='{plan.g_batch}': images that are read from files are read once a step; set "
            "--config.data.stream=never, or --config.g_batch=last"
        )
    stream.check(plan.stream_workers, plan.batch_size, process_count)


def is_streamed(data: Batch) -> bool:
    return isinstance(data.images, StoredImages)


def make_inputs(
    plan: BatchPlan, seeds: Sequence[int], data: Sequence[Batch], placement: OneDevice | ManyDevices
) -> list[Inputs]:
    """The inputs of each seed. Images in memory are copied to a device once and shared by all seeds."""
    if not data:
        return []
    if is_streamed(data[0]):
        return [Streamed(plan, seed, seed_data, placement) for seed, seed_data in zip(seeds, data, strict=True)]
    images = placement.replicate(data[0].images)
    return [Resident(plan, seed, seed_data, images, placement) for seed, seed_data in zip(seeds, data, strict=True)]
