"""Networks that learn side by side teach each other, for the term `codistillation` (arXiv 1804.03235, section 2).

Before each call of several steps, every image that a network will read in the call goes through the discriminators of
all networks with the same labelled images, in inference mode. The mean of their class probabilities is what the network
learns in that call. So the teachers are at most `steps_per_call` steps old, and what they teach depends only on the
networks' states at the beginning of the call: a resumed run learns what the uninterrupted one learned. Before the step
at which the term starts, nothing is computed for it.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.batches import Indices, gather
from gan_jax.devices import compiler
from gan_jax.gan.step import Gan
from gan_jax.gan.types import Batch, GanState
from gan_jax.semi_supervised.labels import label_subset
from gan_jax.system.errors import UserError

# The name under which the term reads the probabilities [B, K] in Batch.extras.
TEACHER_PROBS = "teacher_probs"
_NOBODY = -1


def check(config: ConfigDict, seeds: Sequence[int]) -> None:
    """UserError if the networks of these seeds cannot teach each other."""
    if not config.d_loss.codistillation:
        return
    peers = _peers(config, seeds)
    if peers.shape[1] < 2 or (peers[:, 1] == _NOBODY).any():
        subsets = max(config.data.num_label_subsets, 1) if config.data.num_labels else 1
        shared = f"--config.data.num_label_subsets={subsets} and " if config.data.num_labels else ""
        raise UserError(
            "d_loss.codistillation: networks with the same labelled images teach each other, and one of this run's "
            f"{len(seeds)} has none beside it; set {shared}--config.num_seeds={2 * subsets}"
        )
    for knob, chosen in (("mesh", config.mesh), ("guard.debug", config.guard.debug)):
        if chosen:
            raise UserError(f"d_loss.codistillation does not go with {knob}; leave out --config.{knob}")


def _peers(config: ConfigDict, seeds: Sequence[int]) -> np.ndarray:
    """Positions [n, k] of the networks with each one's labelled images, itself among them; padded with -1."""
    subsets = [label_subset(seed, config.data.num_label_subsets) if config.data.num_labels else 0 for seed in seeds]
    same = [[j for j, subset in enumerate(subsets) if subset == own] for own in subsets]
    most = max(map(len, same))
    return np.array([each + [_NOBODY] * (most - len(each)) for each in same], np.int32)


def teachers(config: ConfigDict, gan: Gan, seeds: Sequence[int]) -> "Teachers | None":
    """What adds the teachers' probabilities to the inputs of a call; None if the config has no such term."""
    if not config.d_loss.codistillation or not seeds:
        return None
    return Teachers(gan, _peers(config, seeds), config.ramp_up.start)


def abstract_extras(config: ConfigDict, gan: Gan, state: GanState, batches: Batch) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes that `teachers` will add to these abstract batches of one step."""
    if not config.d_loss.codistillation:
        return {}
    of_steps = jax.vmap(gan.discriminate, in_axes=(None, 0, 0))
    logits = jax.eval_shape(of_steps, state, batches.images, batches.labels).class_logits
    return {TEACHER_PROBS: jax.ShapeDtypeStruct(logits.shape, logits.dtype)}


class Teachers:
    """The mean class probabilities of each network's peers, from the states of all networks."""

    def __init__(self, gan: Gan, peers: np.ndarray, start: int):
        """peers: positions [n, k], -1 for none; start: the training step at which the term starts."""
        self._peers, self._start, self._probs = peers, start, _mean_probs(gan)

    def sequential(self) -> Callable:
        """(end, states, calls, live) -> calls, for seeds that train one after the other.

        end: the step after the last one of these calls; calls: (position, data, indices) of each seed in `live`.
        """
        probs = compiler.jit(self._probs)

        def add(end: int, states: Sequence[GanState], calls: list, live: Sequence[int]) -> list:
            due, weights, taught = end > self._start, self._weights(live), []
            for i, data, indices in calls:
                peers = [states[max(j, 0)] for j in self._peers[i]]
                extras = {TEACHER_PROBS: probs(due, weights[i], peers, data, indices)}
                taught.append((i, data, indices._replace(extras=extras)))
            return taught

        return add

    def vmapped(self, axes: Batch) -> Callable:
        """(end, states, data, indices, live) -> indices, of all seeds in one program: arrays [seeds, ...].

        axes: of the data, as in training.compiled_steps.
        """
        of_seeds, columns = jax.vmap(self._probs, in_axes=(None, 0, 0, axes, 0)), np.maximum(self._peers, 0).T

        @compiler.jit
        def probs(due, weights, states, data, indices):
            peers = [jax.tree.map(lambda leaf, own=own: leaf[own], states) for own in columns]
            return of_seeds(due, weights, peers, data, indices)

        def add(end: int, states: GanState, data: Batch, indices: Indices, live: Sequence[int]) -> Indices:
            extras = {TEACHER_PROBS: probs(end > self._start, self._weights(live), states, data, indices)}
            return indices._replace(extras=extras)

        return add

    def _weights(self, live: Sequence[int]) -> np.ndarray:
        """The share [n, k] of each peer in the mean: only of networks that still train."""
        counted = np.isin(self._peers, live)
        return (counted / np.maximum(counted.sum(axis=1, keepdims=True), 1)).astype(np.float32)


def _mean_probs(gan: Gan) -> Callable:
    """(due, weights [k], k states, data, indices) -> mean of their class probabilities [steps, d_steps, B, K], or 0."""

    def probabilities(state: GanState, batches: Batch) -> jax.Array:
        discriminate = functools.partial(gan.discriminate, state.without_ema())
        return jax.nn.softmax(jax.vmap(discriminate)(batches.images, batches.labels).class_logits)

    def mean_probs(due, weights, states, data, indices):
        def of_step(step):
            batches = gather(data, indices, step)
            # The probabilities of a network that has diverged are NaN, and so is 0 times them.
            return sum(
                jnp.where(weight > 0, weight * probabilities(state, batches), 0)
                for weight, state in zip(weights, states, strict=True)
            )

        num_steps = len(data.images if indices.images is None else indices.images)
        means = functools.partial(jax.lax.map, of_step, jnp.arange(num_steps))
        shape = jax.eval_shape(means)
        return jax.lax.cond(due, means, lambda: jnp.zeros(shape.shape, shape.dtype))

    return mean_probs
