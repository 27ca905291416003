"""Several independent seeds through the same compiled steps: in turn, or together in one program.

Both give each seed what it gets when it is trained alone, to rounding.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax import steps
from gan_jax.feed import make_feeds
from gan_jax.types import Batch, Gan, GanState


class InTurn:
    """One seed after the other through the program of a single one."""

    def __init__(
        self, gan: Gan, configs: Sequence[ConfigDict], data: Sequence[Batch], states: Sequence[GanState], keys: Sequence
    ):
        self._feeds = make_feeds(configs, data)
        self._call, self._states, self._keys = steps.compile_steps(gan, configs[0].steps_per_call), list(states), keys

    def advance(self, step: int, count: int, live: Sequence[int]) -> dict[int, dict]:
        """`count` steps from `step` on of the seeds in `live` (by position) -> their metrics, arrays of a call each."""
        metrics = {}
        for i in live:
            data, indices = self._feeds[i](step, count)
            self._states[i], metrics[i] = self._call(self._states[i], data, indices, count, self._keys[i])
        return metrics

    def state(self, i: int) -> GanState:
        return self._states[i]

    def batches(self, i: int, step: int) -> Batch:
        """What a seed reads in one step, as its program gets it."""
        return steps.gather(*self._feeds[i](step, 1), 0)

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
        self, gan: Gan, configs: Sequence[ConfigDict], data: Sequence[Batch], states: Sequence[GanState], keys: Sequence
    ):
        # The images are the same for every seed; which of them have a label, and which, is drawn by seed.
        own = None if data[0].labelled is None else 0
        stack = lambda *leaves: np.stack(leaves)  # noqa: E731
        rest = jax.tree.map(stack, *(batch._replace(images=np.zeros(())) for batch in data)) if own == 0 else data[0]
        self._data = jax.device_put(rest._replace(images=data[0].images))
        axes = Batch(None, own, None if own is None else Batch(0, 0))
        self._call = steps.compile_steps(gan, configs[0].steps_per_call, seeds_axes=axes)
        self._orders = [steps.Order(config, batch) for config, batch in zip(configs, data, strict=True)]
        self._states = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
        self._keys = jnp.stack(keys)

    def advance(self, step: int, count: int, live: Sequence[int]) -> dict[int, dict]:
        """The same as InTurn's."""
        indices = jax.tree.map(lambda *leaves: np.stack(leaves), *(order(step, count) for order in self._orders))
        self._states, metrics = self._call(self._states, self._data, indices, count, self._keys)
        return {i: jax.tree.map(lambda leaf, i=i: leaf[i], metrics) for i in live}

    def state(self, i: int) -> GanState:
        return jax.tree.map(lambda leaf: leaf[i], self._states)

    def close(self) -> None:
        pass


def choose_engine(num_seeds: int) -> type:
    """On a CPU seeds go in turn: 8 seeds of the CGAN took as long together, and of its tuned form 1.6 times as long."""
    return InTurn if num_seeds == 1 or jax.default_backend() == "cpu" else Together
