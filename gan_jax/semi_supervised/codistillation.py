"""Networks trained in parallel teach each other, for the term `codistillation` (arXiv 1804.03235, section 2).

Before each call of several steps, every image that a network will read in the call goes through the discriminators of
all networks with the same labelled images, in inference mode. The mean of their class probabilities is the target of
the network in that call. So the states of the teachers are at most `steps_per_call` steps old, and the targets depend
only on the states at the start of the call: a resumed run has the same targets as the uninterrupted run. Before the
step at which the term starts, no targets are computed.
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
_NO_PEER = -1


def check(section: ConfigDict, seeds: Sequence[int], mesh: str, debug: bool) -> None:
    """UserError if the networks of these seeds cannot teach each other.

    section: config.data. mesh, debug: `config.mesh` and `config.guard.debug`, which do not go with this term.
    """
    peers = peers_of(section, seeds)
    if peers.shape[1] < 2 or (peers[:, 1] == _NO_PEER).any():
        subsets = max(section.num_label_subsets, 1) if section.num_labels else 1
        shared = f"--config.data.num_label_subsets={subsets} and " if section.num_labels else ""
        raise UserError(
            "d_loss.codistillation: networks with the same labelled images teach each other, but one of this run's "
            f"{len(seeds)} has no peer; set {shared}--config.num_seeds={2 * subsets}"
        )
    for knob, chosen in (("mesh", mesh), ("guard.debug", debug)):
        if chosen:
            raise UserError(f"d_loss.codistillation does not go with {knob}; leave out --config.{knob}")


def peers_of(section: ConfigDict, seeds: Sequence[int]) -> np.ndarray:
    """For each of n networks, the indices [n, k] of its peers: the networks with the same labelled images.

    section: config.data. A network is its own peer. Rows with fewer than k peers are padded with -1.
    """
    subsets = [label_subset(seed, section.num_label_subsets) if section.num_labels else 0 for seed in seeds]
    peers = [[j for j, other_subset in enumerate(subsets) if other_subset == subset] for subset in subsets]
    most = max(map(len, peers))
    return np.array([row + [_NO_PEER] * (most - len(row)) for row in peers], np.int32)


def abstract_extras(gan: Gan, state: GanState, batches: Batch) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes that Teachers will add to these abstract batches of one step."""
    of_steps = jax.vmap(gan.discriminate, in_axes=(None, 0, 0))
    logits = jax.eval_shape(of_steps, state, batches.images, batches.labels).class_logits
    return {TEACHER_PROBS: jax.ShapeDtypeStruct(logits.shape, logits.dtype)}


class Teachers:
    """The mean class probabilities of each network's peers, from the states of all networks."""

    def __init__(self, gan: Gan, peers: np.ndarray, start: int):
        """peers: indices [n, k], -1 for no peer. start: the training step at which the term starts."""
        self._peers, self._start, self._probs = peers, start, _mean_probs(gan)

    def sequential(self) -> Callable:
        """(end, states, calls, live) -> calls, for seeds that train one after the other.

        end: the step after the last step of these calls.
        calls: (position, data, indices) of each seed in `live`.
        live: the positions of the networks that still train.
        """
        probs = compiler.jit(self._probs)

        def add(end: int, states: Sequence[GanState], calls: list, live: Sequence[int]) -> list:
            is_due, weights, new_calls = end > self._start, self._weights(live), []
            for i, data, indices in calls:
                peers = [states[max(j, 0)] for j in self._peers[i]]
                extras = {TEACHER_PROBS: probs(is_due, weights[i], peers, data, indices)}
                new_calls.append((i, data, indices._replace(extras=extras)))
            return new_calls

        return add

    def vmapped(self, axes: Batch) -> Callable:
        """(end, states, data, indices, live) -> indices, for seeds that train in one program: arrays [seeds, ...].

        axes: the vmap axes of the data, as in training.compiled_steps.
        """
        of_seeds, columns = jax.vmap(self._probs, in_axes=(None, 0, 0, axes, 0)), np.maximum(self._peers, 0).T

        @compiler.jit
        def probs(is_due, weights, states, data, indices):
            peers = [jax.tree.map(lambda leaf, column=column: leaf[column], states) for column in columns]
            return of_seeds(is_due, weights, peers, data, indices)

        def add(end: int, states: GanState, data: Batch, indices: Indices, live: Sequence[int]) -> Indices:
            extras = {TEACHER_PROBS: probs(end > self._start, self._weights(live), states, data, indices)}
            return indices._replace(extras=extras)

        return add

    def _weights(self, live: Sequence[int]) -> np.ndarray:
        """The weights [n, k] of the peers in the mean. Networks that no longer train have the weight 0."""
        is_live = np.isin(self._peers, live)
        return (is_live / np.maximum(is_live.sum(axis=1, keepdims=True), 1)).astype(np.float32)


def _mean_probs(gan: Gan) -> Callable:
    """(is_due, weights [k], k states, data, indices) -> mean class probabilities [steps, d_steps, B, K] or 0."""

    def probabilities(state: GanState, batches: Batch) -> jax.Array:
        discriminate = functools.partial(gan.discriminate, state.without_ema())
        return jax.nn.softmax(jax.vmap(discriminate)(batches.images, batches.labels).class_logits)

    def mean_probs(is_due, weights, states, data, indices):
        def of_step(step):
            batches = gather(data, indices, step)
            # If a network has diverged, its probabilities are NaN, and so is their product with the weight 0.
            return sum(
                jnp.where(weight > 0, weight * probabilities(state, batches), 0)
                for weight, state in zip(weights, states, strict=True)
            )

        num_steps = len(data.images if indices.images is None else indices.images)
        means = functools.partial(jax.lax.map, of_step, jnp.arange(num_steps))
        shape = jax.eval_shape(means)
        return jax.lax.cond(is_due, means, lambda: jnp.zeros(shape.shape, shape.dtype))

    return mean_probs
