"""Several independent seeds through the same compiled steps: in turn, or together in one program.

Both give each seed what it gets when it is trained alone, to rounding; on one device or on many. Where networks teach
each other (codistillation.py), none is trained alone, and both give them the same.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.batches import Order, gather
from gan_jax.data.feed import make_feeds
from gan_jax.devices.mesh import ONE_DEVICE, ManyDevices, OneDevice
from gan_jax.gan.types import Batch, Gan, GanState
from gan_jax.semi_supervised.codistillation import Lessons
from gan_jax.training.compiled_steps import compile_steps


def _stack(trees: Sequence[Any]) -> Any:
    """Trees of numpy's arrays of equal shapes as one, with a first axis for them."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


@jax.jit
def _stack_on_device(trees: list) -> Any:
    """The same of a device's arrays, in one program for all of them."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


class InTurn:
    """One seed after the other through the program of a single one."""

    def __init__(
        self,
        gan: Gan,
        configs: Sequence[ConfigDict],
        data: Sequence[Batch],
        states: Sequence[GanState],
        keys: Sequence[jax.Array],
        place: OneDevice | ManyDevices = ONE_DEVICE,
    ):
        self._feeds = make_feeds(configs, data, place)
        self._call = compile_steps(gan, configs[0].steps_per_call, place=place)
        self._states, self._keys = [place.whole(state) for state in states], place.whole(list(keys))
        self._lessons = Lessons(gan, configs) if configs[0].d_loss.codistillation else None
        self._place = place

    def advance(self, step: int, count: int, live: Sequence[int]) -> Any:
        """`count` steps from `step` on of the seeds in `live` (by position) -> their metrics, still on the device."""
        metrics, calls = {}, ((i, *self._feeds[i](step, count)) for i in live)
        if self._lessons:
            calls = self._lessons.in_turn(step + count, self._states, list(calls), live)
        for i, data, indices in calls:
            self._states[i], metrics[i] = self._call(self._states[i], data, indices, count, self._keys[i])
        return self._place.here(metrics)

    def read(self, metrics: Any) -> dict[int, dict[str, np.ndarray]]:
        """What `advance` returned, once it has been computed: position of a seed -> arrays of a call each."""
        return jax.device_get(metrics)

    def state(self, i: int) -> GanState:
        """The state of a seed, on one device."""
        return self._place.here(self._states[i])

    def batches(self, i: int, step: int) -> Batch:
        """What a seed reads in one step, as its program gets it."""
        return gather(*self._feeds[i](step, 1), 0)

    @property
    def waited(self) -> float:
        """Seconds that calls have waited for images."""
        return sum(feed.waited for feed in self._feeds)

    def close(self) -> None:
        """Ends what reads images."""
        for feed in self._feeds:
            feed.close()


class Together:
    """All seeds in one program, by vmap over the states: leaves [seeds, ...]. Seeds that have ended run on unseen.

    Images are in memory, and on the device once.
    """

    waited = 0.0

    def __init__(
        self,
        gan: Gan,
        configs: Sequence[ConfigDict],
        data: Sequence[Batch],
        states: Sequence[GanState],
        keys: Sequence[jax.Array],
        place: OneDevice | ManyDevices = ONE_DEVICE,
    ):
        # Where some seeds ended in an earlier process, copies of the last one even the devices' shares out.
        rest = -len(configs) % place.num_seed_shares
        configs, data, states, keys = ([*them, *[them[-1]] * rest] for them in (configs, data, states, keys))
        # The images are the same for every seed; which of them have a label, and which, is drawn by seed.
        own, images = None if data[0].labelled is None else 0, place.whole(data[0].images)
        others = [batch._replace(images=None) for batch in data]
        others = place.whole(others[0]) if own is None else place.by_seed(_stack(others))
        self._data = others._replace(images=images)
        axes = Batch(None, own, None if own is None else Batch(0, 0))
        self._call = compile_steps(gan, configs[0].steps_per_call, axes, place)
        self._lessons = Lessons(gan, configs, axes) if configs[0].d_loss.codistillation else None
        self._orders = [Order(config, batch) for config, batch in zip(configs, data, strict=True)]
        self._states, self._keys = (place.by_seed(_stack_on_device(list(them))) for them in (states, keys))
        self._place = place

    def advance(self, step: int, count: int, live: Sequence[int]) -> Any:
        """The same as InTurn's."""
        indices = self._place.by_example(_stack([order(step, count) for order in self._orders]), seeds=True)
        if self._lessons:
            indices = self._lessons.together(step + count, self._states, self._data, indices, live)
        self._states, metrics = self._call(self._states, self._data, indices, count, self._keys)
        return list(live), self._place.here(metrics)

    def read(self, metrics: Any) -> dict[int, dict[str, np.ndarray]]:
        """The same as InTurn's, in one transfer an array for all seeds."""
        live, metrics = metrics
        metrics = jax.device_get(metrics)
        return {i: {name: values[i] for name, values in metrics.items()} for i in live}

    def state(self, i: int) -> GanState:
        """The same as InTurn's."""
        return self._place.of_seed(self._states, i)

    def close(self) -> None:
        pass


def choose_engine(num_seeds: int) -> type:
    """On a CPU seeds go in turn: 8 seeds of the CGAN took as long together, and of its tuned form 1.6 times as long."""
    return InTurn if num_seeds == 1 or jax.default_backend() == "cpu" else Together
