"""Networks that learn side by side teach each other, for the term `codistillation` (arXiv 1804.03235, section 2).

Before a call of several steps every image that a network will read in it goes through the discriminators of all
networks with the same labelled images, as they are now and without noise; the mean of their class probabilities is what
the network is taught in that call. So the teachers are at most `steps_per_call` steps old, and what is taught depends
on the networks' states at the beginning of the call alone: a resumed run is taught what the uninterrupted one was.
Until `ramp_up.start` the term is 0, and nothing is computed for it.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.batches import Indices, gather
from gan_jax.devices import compiler
from gan_jax.gan.types import Batch, Gan, GanState
from gan_jax.semi_supervised.labels import label_draw
from gan_jax.system.errors import UserError

_NOBODY = -1


def check(config: ConfigDict, members: Sequence[ConfigDict]) -> None:
    """UserError where the run's networks cannot teach each other. members: the config of each seed."""
    if not config.d_loss.codistillation:
        return
    peers = _peers(members)
    if peers.shape[1] < 2 or (peers[:, 1] == _NOBODY).any():
        draws = max(config.data.label_draws, 1) if config.data.num_labels else 1
        shared = f"--config.data.label_draws={draws} and " if config.data.num_labels else ""
        raise UserError(
            "d_loss.codistillation: networks with the same labelled images teach each other, and one of this run's "
            f"{len(members)} has none beside it; set {shared}--config.num_seeds={2 * draws}"
        )
    for knob, chosen in (("mesh", config.mesh), ("guard.debug", config.guard.debug)):
        if chosen:
            raise UserError(f"d_loss.codistillation does not go with {knob}; leave out --config.{knob}")


def _peers(configs: Sequence[ConfigDict]) -> np.ndarray:
    """Positions [n, k] of the networks that see each one's labelled images, itself among them; -1 fills up."""
    draws = [label_draw(config) if config.data.num_labels else 0 for config in configs]
    found = [[j for j, draw in enumerate(draws) if draw == own] for own in draws]
    most = max(map(len, found))
    return np.array([each + [_NOBODY] * (most - len(each)) for each in found], np.int32)


class Lessons:
    """What each network of a run is taught, from the states of all of them."""

    def __init__(self, gan: Gan, configs: Sequence[ConfigDict], axes: Batch | None = None):
        """axes: those of the data of several seeds in one program, as in steps.compile_steps."""
        self._peers, self._start = _peers(configs), configs[0].ramp_up.start
        lesson = _lesson(gan)
        self._lesson = compiler.jit(
            self._for_seeds(jax.vmap(lesson, in_axes=(None, 0, 0, axes, 0))) if axes else lesson
        )

    def _for_seeds(self, lesson: Callable) -> Callable:
        columns = np.maximum(self._peers, 0).T

        def together(due, weights, states, data, indices):
            peers = [jax.tree.map(lambda leaf, own=own: leaf[own], states) for own in columns]
            return lesson(due, weights, peers, data, indices)

        return together

    def _weights(self, live: Sequence[int]) -> np.ndarray:
        """The share [n, k] of each peer in the mean: only of networks that still train."""
        counted = np.isin(self._peers, live)
        return (counted / np.maximum(counted.sum(axis=1, keepdims=True), 1)).astype(np.float32)

    def in_turn(self, end: int, states: Sequence[GanState], calls: list, live: Sequence[int]) -> list:
        """calls: (position, data, indices) of each seed in `live`; the same with what each is taught.

        end: the step after the last one of these calls.
        """
        due, weights, found = end > self._start, self._weights(live), []
        for i, data, indices in calls:
            peers = [states[max(j, 0)] for j in self._peers[i]]
            found.append((i, data, indices._replace(taught=self._lesson(due, weights[i], peers, data, indices))))
        return found

    def together(self, end: int, states: GanState, data: Batch, indices: Indices, live: Sequence[int]) -> Indices:
        """The same of all seeds in one program: arrays [seeds, ...]."""
        return indices._replace(taught=self._lesson(end > self._start, self._weights(live), states, data, indices))


def _lesson(gan: Gan) -> Callable:
    """(due, weights [k], k states, data, indices) -> mean of their class probabilities [steps, d_steps, B, K], or 0."""

    def probabilities(state: GanState, batches: Batch) -> jax.Array:
        judge = functools.partial(gan.judge, state.unaveraged())
        critiques = jax.vmap(judge)(batches.images, batches.labels)
        return jax.nn.softmax(critiques.class_logits)

    def lesson(due, weights, states, data, indices):
        def of_step(step):
            batches = gather(data, indices, step)
            # A network that has ended may say NaN, of which no share is 0.
            return sum(
                jnp.where(weight > 0, weight * probabilities(state, batches), 0)
                for weight, state in zip(weights, states, strict=True)
            )

        num_steps = len(data.images if indices.images is None else indices.images)
        taught = functools.partial(jax.lax.map, of_step, jnp.arange(num_steps))
        shape = jax.eval_shape(taught)
        return jax.lax.cond(due, taught, lambda: jnp.zeros(shape.shape, shape.dtype))

    return lesson
