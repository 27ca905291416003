"""The few types that every room shares. Arrays and callables only; nothing here computes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax


class Batch(NamedTuple):
    """Real examples: images [B, H, W, C] float32 in [-1, 1], labels int32 [B]."""

    images: jax.Array
    labels: jax.Array


class Critique(NamedTuple):
    """What every discriminator returns: logits [B], features [B, F], class_logits [B, K] or None."""

    logits: jax.Array
    features: jax.Array
    class_logits: jax.Array | None = None


class Targets(NamedTuple):
    """What the logits are compared with, each [B]: real and fake in D's update, generator in G's update."""

    real: jax.Array
    fake: jax.Array
    generator: jax.Array


class View(NamedTuple):
    """What the loss of one update may look at.

    real, fake: critiques of `batch` and of `fakes`, with the parameters being differentiated.
    critic: (images, labels) -> Critique, the same discriminator once more, for penalties.
    key: for a term's own draws.
    """

    batch: Batch
    fakes: Batch
    real: Critique
    fake: Critique
    targets: Targets
    critic: Callable[[jax.Array, jax.Array], Critique]
    key: jax.Array


class Player(NamedTuple):
    """One network in training. Arrays only, so that it checkpoints, vmaps, shards and donates as it is.

    stats: every collection that is not `params` (batch statistics, ...).
    average: exponential moving average of {"params", "stats"} together, or {} where none is kept.
    """

    params: Any
    stats: Any
    opt_state: Any
    average: Any


class GanState(NamedTuple):
    """A GAN in training; `step` counts generator updates."""

    step: jax.Array
    generator: Player
    discriminator: Player


class Gan(NamedTuple):
    """A GAN as three pure functions.

    init(key, batch) -> GanState                        batch: Batch of any size
    step(state, batches, key) -> (GanState, metrics)    batches: Batch with leaves [d_steps, B, ...]
    sample(state, key, labels) -> images [B, H, W, C] in [-1, 1]
    """

    init: Callable
    step: Callable
    sample: Callable
