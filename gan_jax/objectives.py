"""Adversarial losses of both players over logits [B] and targets [B]; every loss is a mean over the batch.

`discriminator(real_logits, fake_logits, targets)` is the SUM of the real and the fake half, as in the papers (some
codebases halve it; under Adam only the size of the printed loss differs). `generator(real_logits, fake_logits,
targets)` may look at the real logits; most do not. `output` is D(x), the value that the metrics d_real and d_fake show.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class Objective(NamedTuple):
    """A pair of losses and what D(x) means under it."""

    discriminator: Callable
    generator: Callable
    output: Callable[[jax.Array], jax.Array]


@jax.custom_jvp
def binary_cross_entropy(probabilities: jax.Array, targets: jax.Array) -> jax.Array:
    """-[t log p + (1 - t) log(1 - p)] elementwise, with each logarithm no less than -100.

    Value and gradient are those of PyTorch's BCELoss: the clamp keeps the loss finite at p = 0 and p = 1, and the
    derivative is (p - t) / max(p (1 - p), 1e-12). Through a sigmoid that has saturated in float32 the gradient is
    then exactly 0: the vanishing that `bce_logits` does not have.
    """
    log = lambda p: jnp.maximum(jnp.log(p), -100.0)  # noqa: E731
    return -(targets * log(probabilities) + (1.0 - targets) * log(1.0 - probabilities))


@binary_cross_entropy.defjvp
def _binary_cross_entropy_jvp(primals, tangents):
    p, t = primals
    slope = (p - t) / jnp.maximum(p * (1.0 - p), 1e-12)
    # Targets are constants of the game: no gradient flows into them.
    return binary_cross_entropy(p, t), slope * tangents[0]


def _bce_on_probabilities(logits: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.mean(binary_cross_entropy(jax.nn.sigmoid(logits), targets))


def _bce_on_logits(logits: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, targets))


def _half_squares(logits: jax.Array, targets: jax.Array) -> jax.Array:
    return 0.5 * jnp.mean((logits - targets) ** 2)


def _elementwise(loss: Callable, output: Callable) -> Objective:
    """Both players' losses from one loss of (logits, targets)."""
    return Objective(
        discriminator=lambda real, fake, targets: loss(real, targets.real) + loss(fake, targets.fake),
        generator=lambda real, fake, targets: loss(fake, targets.generator),
        output=output,
    )


OBJECTIVES = {
    # Goodfellow et al. 2014 (arXiv 1406.2661), non-saturating: D: -log D(x) - log(1 - D(G(z))), G: -log D(G(z)).
    "bce": _elementwise(_bce_on_probabilities, jax.nn.sigmoid),
    # The same losses computed from the logits: no clamp, no vanishing gradient in float32.
    "bce_logits": _elementwise(_bce_on_logits, jax.nn.sigmoid),
    # Least squares, Mao et al. 2016 (arXiv 1611.04076), eq. 2, on the raw output: b = targets.real, a = targets.fake,
    # c = targets.generator.
    "lsgan": _elementwise(_half_squares, lambda logits: logits),
}
