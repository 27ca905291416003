"""The types that all rooms share. They contain arrays and callables; no function here computes anything."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional

import jax


class Batch(NamedTuple):
    """Real examples: images [B, H, W, C] float32 in [-1, 1], labels int32 [B].

    labelled: in semi-supervised training, the examples with a known label. The labels beside `images` are then
        propagated from them (for the term `propagated_label`), or random and without information.
    of_g: the real images of G's update, if they are not those of D's last update.
    extras: further arrays [B, ...] with one row per image, by the name that a loss term uses.
    """

    images: jax.Array
    labels: jax.Array
    labelled: Optional["Batch"] = None
    of_g: Optional["Batch"] = None
    extras: Mapping[str, jax.Array] = {}


class DiscriminatorOutput(NamedTuple):
    """The output of every discriminator: logits [B], features [B, F], class_logits [B, K] or None.

    extras: further arrays [B, ...] of a head, by the name that a loss term uses.
    """

    logits: jax.Array
    features: jax.Array
    class_logits: jax.Array | None = None
    extras: Mapping[str, jax.Array] = {}


class Targets(NamedTuple):
    """The targets of the logits, each [B]: real and fake in D's update, generator in G's update."""

    real: jax.Array
    fake: jax.Array
    generator: jax.Array


class Progress(NamedTuple):
    """How far training is. Settings that change during training (gan/values.py) are functions of it.

    step: the number of training steps so far.
    tracked: name -> a number that follows D's outputs (gan/tracking.py).
    """

    step: jax.Array
    tracked: Mapping[str, jax.Array] = {}


class LossInputs(NamedTuple):
    """Everything that the loss of one update can read.

    real, fake, labelled: D's outputs for `batch`, `fakes` and `batch.labelled` (None if there is none), with the
        parameters that are differentiated.
    discriminate: (images, labels) -> DiscriminatorOutput, one more forward pass of the same D, for penalties.
    discriminate_ema: the same with the EMA of D's parameters (D's own, if there is no EMA), in inference mode.
    z: the random inputs of `fakes`, [B, Z].
    generate: (z) -> images for other z and the same labels, by G as it was for `fakes`.
    distort: (key, images) -> images, the distortion to which D should be invariant, for the term `consistency`.
    params: the parameters of the updated player.
    param_mean: {"mean", "count"} of all parameters that this player has had; {} if no term needs it.
    progress: for weights that change.
    key: for the random draws of a term.
    """

    batch: Batch
    fakes: Batch
    real: DiscriminatorOutput
    fake: DiscriminatorOutput
    labelled: DiscriminatorOutput | None
    targets: Targets
    discriminate: Callable[[jax.Array, jax.Array], DiscriminatorOutput]
    discriminate_ema: Callable[[jax.Array, jax.Array], DiscriminatorOutput]
    z: jax.Array
    generate: Callable[[jax.Array], jax.Array]
    distort: Callable[[jax.Array, jax.Array], jax.Array]
    params: Any
    param_mean: Any
    progress: Progress
    key: jax.Array


class Player(NamedTuple):
    """One network in training. Arrays only, so that it can be checkpointed, vmapped, sharded and donated as it is.

    stats: every collection that is not `params` (batch statistics, ...).
    ema: the exponential moving average of {"params", "stats"} together, or {} if there is none.
    param_mean: the mean of all parameters so far and their number, {"mean", "count"}, or {} if there is none.
    tracked: the numbers of gan/tracking.py, {} if there is none. G never has one.
    """

    params: Any
    stats: Any
    opt_state: Any
    ema: Any
    param_mean: Any
    tracked: Any = {}


class GanState(NamedTuple):
    """A GAN in training; `step` counts generator updates."""

    step: jax.Array
    generator: Player
    discriminator: Player

    def without_ema(self) -> "GanState":
        """The state without the EMAs: inference then uses the current parameters and statistics of the players."""
        generator, discriminator = (player._replace(ema={}) for player in (self.generator, self.discriminator))
        return self._replace(generator=generator, discriminator=discriminator)
