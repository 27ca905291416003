"""What a call of several steps reads: rows of images that lie on the device, or batches that are read from files."""

from collections.abc import Sequence
from typing import Protocol

import jax
import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.batches import BatchOrder, Indices, Order
from gan_jax.data.stored import StoredImages
from gan_jax.data.stream import Stream
from gan_jax.devices.mesh import ManyDevices, OneDevice
from gan_jax.gan.types import Batch
from gan_jax.system.errors import UserError


class Feed(Protocol):
    """(first step, number of steps) -> (data, indices) of a call, as steps.compile_steps takes them.

    waited: seconds that calls have waited for images.
    """

    waited: float

    def __call__(self, step: int, count: int) -> tuple[Batch, Indices]: ...

    def close(self) -> None: ...


class Resident:
    """Images on every device, of which each call gets the indices."""

    waited = 0.0

    def __init__(self, config: ConfigDict, data: Batch, images: jax.Array, place: OneDevice | ManyDevices):
        """images: those of `data`, where they lie."""
        self._order, self._place = Order(config, data), place
        self._data = place.whole(data._replace(images=None))._replace(images=images)

    def __call__(self, step: int, count: int) -> tuple[Batch, Indices]:
        return self._data, self._place.by_example(self._order(step, count), seeds=False)

    def close(self) -> None:
        pass


class Streamed:
    """Images in files: each call gets its own batches [steps, d_steps, B, ...], uint8, in the same order.

    A call's batches go to the device while the call before it runs there; so two calls' batches lie on the device, and
    as many steps as a call has are read ahead on the host. The labelled images, which are few, stay on the device.
    Of several processes each reads the part of every batch that lies on its devices.
    """

    def __init__(self, config: ConfigDict, data: Batch, place: OneDevice | ManyDevices):
        if config.g_batch != "last":
            raise UserError(
                f"g_batch='{config.g_batch}': images that are read from files are read once a step; set "
                "--config.data.stream=never, or --config.g_batch=last"
            )
        self._order, self._labels, self._place = Order(config, data), data.labels, place
        self._labelled = place.whole(data.labelled)
        self._steps = config.steps_per_call
        self._stream = Stream(
            data.images,
            BatchOrder(config.seed, len(data.labels), config.d_steps, config.batch_size),
            config.batch_size,
            ahead=config.steps_per_call,
            workers=config.data.stream_workers,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )

    @property
    def waited(self) -> float:
        return self._stream.waited

    def __call__(self, step: int, count: int) -> tuple[Batch, Indices]:
        read, indices = self._stream(step, count), self._order(step, count)
        # Fresh memory for each call: the device may read it after this returns.
        images = np.zeros((self._steps, *read[0].shape), np.uint8)
        for place, batches in enumerate(read):
            images[place] = batches
        labels = self._labels[indices.images[:, :, self._stream.share]]
        batches = self._place.parts(Batch(images, labels))._replace(labelled=self._labelled)
        return batches, self._place.by_example(indices._replace(images=None), seeds=False)

    def close(self) -> None:
        self._stream.close()


def is_streamed(data: Batch) -> bool:
    return isinstance(data.images, StoredImages)


def make_feeds(configs: Sequence[ConfigDict], data: Sequence[Batch], place: OneDevice | ManyDevices) -> list[Feed]:
    """One for each seed; images in memory go to a device once, whatever the number of seeds."""
    if is_streamed(data[0]):
        return [Streamed(config, own, place) for config, own in zip(configs, data, strict=True)]
    images = place.whole(data[0].images)
    return [Resident(config, own, images, place) for config, own in zip(configs, data, strict=True)]
