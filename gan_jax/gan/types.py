"""The few types that every room shares. Arrays and callables only; nothing here computes."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional

import jax


class Batch(NamedTuple):
    """Real examples: images [B, H, W, C] float32 in [-1, 1], labels int32 [B].

    labelled: in semi-supervised training, the examples whose labels may be learned from; the labels beside `images`
    are then what near images with a label say, for the term `propagated_label`, or drawn at random and say nothing.
    of_g: the real images of G's update, if they are not those of D's last update.
    extras: more arrays [B, ...], one row an image, by the name under which a loss term reads them.
    """

    images: jax.Array
    labels: jax.Array
    labelled: Optional["Batch"] = None
    of_g: Optional["Batch"] = None
    extras: Mapping[str, jax.Array] = {}


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

    real, fake, labelled: critiques of `batch`, `fakes` and `batch.labelled` (None without), with the parameters being
    differentiated.
    critic: (images, labels) -> Critique, the same discriminator once more, for penalties.
    averaged: the same with D's averaged parameters (its own, where none are kept) as for inference.
    distort: (key, images) -> images, the distortion that a discriminator should not notice, for consistency.
    params, history: parameters of the player in its update, and the mean of those it had ({} where none is kept).
    step: how many training steps came before, for weights that change.
    key: for a term's own draws.
    """

    batch: Batch
    fakes: Batch
    real: Critique
    fake: Critique
    labelled: Critique | None
    targets: Targets
    critic: Callable[[jax.Array, jax.Array], Critique]
    averaged: Callable[[jax.Array, jax.Array], Critique]
    distort: Callable[[jax.Array, jax.Array], jax.Array]
    params: Any
    history: Any
    step: jax.Array
    key: jax.Array


class Player(NamedTuple):
    """One network in training. Arrays only, so that it checkpoints, vmaps, shards and donates as it is.

    stats: every collection that is not `params` (batch statistics, ...).
    average: exponential moving average of {"params", "stats"} together, or {} where none is kept.
    history: plain mean of all parameters so far and their number, {"mean", "count"}, or {} where none is kept.
    """

    params: Any
    stats: Any
    opt_state: Any
    average: Any
    history: Any


class GanState(NamedTuple):
    """A GAN in training; `step` counts generator updates."""

    step: jax.Array
    generator: Player
    discriminator: Player

    def unaveraged(self) -> "GanState":
        """Without the moving averages: inference is then with the players' own parameters and statistics."""
        generator, discriminator = (player._replace(average={}) for player in (self.generator, self.discriminator))
        return self._replace(generator=generator, discriminator=discriminator)
