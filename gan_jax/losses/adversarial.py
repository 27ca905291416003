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

from gan_jax.gan.types import Targets


class Objective(NamedTuple):
    """A pair of losses and what D(x) means under it.

    uses_targets: the losses compare logits with targets; False where the equations hold none, so that smoothing,
    flipping or inverting targets would change nothing.
    zero_means_won: at targets of 1 and 0, D's loss is near 0 only where D tells every real image from every fake. False
    where 0 says no such thing: a difference of means, or a loss that is 0 everywhere.
    """

    discriminator: Callable[[jax.Array, jax.Array, Targets], jax.Array]
    generator: Callable[[jax.Array, jax.Array, Targets], jax.Array]
    output: Callable[[jax.Array], jax.Array]
    uses_targets: bool = True
    zero_means_won: bool = True


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


def _one_class_softmax(logits: jax.Array) -> jax.Array:
    """exp(l) / exp(l) = 1, whatever the logit."""
    return jax.nn.softmax(logits[:, None], axis=-1)[:, 0]


def _cross_entropy_of_one_class(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-t log softmax(l) over a single class, as PyTorch's CrossEntropyLoss computes it for [B, 1] against [B, 1].

    The softmax of one logit is 1, so the loss is -t log 1 = 0 and its gradient t (1 - 1) = 0: a network trained by
    this loss stays as it was initialised. Kept because published recipes use it; `cross_entropy_two_logits` learns.
    """
    return jnp.mean(optax.softmax_cross_entropy(logits[:, None], targets[:, None]))


def _cross_entropy_of_two_classes(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-t log p_real - (1 - t) log p_fake with (p_real, p_fake) = softmax(l, 0) [B, 2].

    A softmax looks at the difference of its logits only, so l = l_real - l_fake stands for both; p_real = sigmoid(l)
    and the loss is that of `bce_logits`.
    """
    both = jnp.stack([logits, jnp.zeros_like(logits)], axis=-1)
    return jnp.mean(optax.softmax_cross_entropy(both, jnp.stack([targets, 1.0 - targets], axis=-1)))


def _half_squares(logits: jax.Array, targets: jax.Array) -> jax.Array:
    return 0.5 * jnp.mean((logits - targets) ** 2)


def _saturating_generator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """mean log(1 - D(G(z))), to be minimised (arXiv 1406.2661, eq. 1).

    In the plain game, minus the fake half of D's loss. The slope by a logit is (1 - targets.generator) - D(G(z)): in
    the plain game it fades as D rejects the fakes. Smoothed, soft or flipped targets are D's alone and do not reach G.
    """
    del real
    return -_bce_on_logits(fake, 1.0 - targets.generator)


def _hinge_discriminator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))): nothing is gained beyond the margins 1 and -1."""
    del targets
    return jnp.mean(jax.nn.relu(1.0 - real)) + jnp.mean(jax.nn.relu(1.0 + fake))


def _wasserstein_discriminator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """mean D(G(z)) - mean D(x), minus the estimated distance. Without a Lipschitz bound on D it has no minimum."""
    del targets
    return jnp.mean(fake) - jnp.mean(real)


def _raise_the_fakes(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """-mean D(G(z)), the generator's part of the hinge and the Wasserstein game."""
    del real, targets
    return -jnp.mean(fake)


def _against_the_other_kind(
    real: jax.Array, fake: jax.Array, real_targets: jax.Array, fake_targets: jax.Array
) -> jax.Array:
    """Cross-entropies of D(x) - mean D(G(z)) with the real and of D(G(z)) - mean D(x) with the fake targets."""
    return _bce_on_logits(real - jnp.mean(fake), real_targets) + _bce_on_logits(fake - jnp.mean(real), fake_targets)


def _relativistic_discriminator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    return _against_the_other_kind(real, fake, targets.real, targets.fake)


def _relativistic_generator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """The two kinds trade places: fakes aim at targets.generator, and real images are to fall to 1 - that."""
    return _against_the_other_kind(real, fake, 1.0 - targets.generator, targets.generator)


def _identity(logits: jax.Array) -> jax.Array:
    return logits


def _elementwise(loss: Callable, output: Callable, zero_means_won: bool = True) -> Objective:
    """Both players' losses from one loss of (logits, targets)."""
    return Objective(
        discriminator=lambda real, fake, targets: loss(real, targets.real) + loss(fake, targets.fake),
        generator=lambda real, fake, targets: loss(fake, targets.generator),
        output=output,
        zero_means_won=zero_means_won,
    )


OBJECTIVES = {
    # Goodfellow et al. 2014 (arXiv 1406.2661), non-saturating: D: -log D(x) - log(1 - D(G(z))), G: -log D(G(z)).
    "bce": _elementwise(_bce_on_probabilities, jax.nn.sigmoid),
    # The same losses computed from the logits: no clamp, no vanishing gradient in float32.
    "bce_logits": _elementwise(_bce_on_logits, jax.nn.sigmoid),
    # The same D, and the G of the minimax game (arXiv 1406.2661, eq. 1): it minimises log(1 - D(G(z))).
    "saturating": _elementwise(_bce_on_logits, jax.nn.sigmoid)._replace(generator=_saturating_generator),
    # A softmax over ONE class: always 0, learns nothing. D(x) = 1 for every image.
    "cross_entropy": _elementwise(_cross_entropy_of_one_class, _one_class_softmax, zero_means_won=False),
    # A softmax over the classes real and fake: `bce_logits` of the difference of their logits.
    "cross_entropy_two_logits": _elementwise(_cross_entropy_of_two_classes, jax.nn.sigmoid),
    # Least squares, Mao et al. 2016 (arXiv 1611.04076), eq. 2, on the raw output: b = targets.real, a = targets.fake,
    # c = targets.generator.
    "lsgan": _elementwise(_half_squares, _identity),
    # Lim and Ye 2017 (arXiv 1705.02894), Miyato et al. 2018 (arXiv 1802.05957), on the raw output.
    "hinge": Objective(_hinge_discriminator, _raise_the_fakes, _identity, uses_targets=False),
    # Arjovsky et al. 2017 (arXiv 1701.07875), on the raw output; D has to be kept Lipschitz by something else.
    "wasserstein": Objective(
        _wasserstein_discriminator, _raise_the_fakes, _identity, uses_targets=False, zero_means_won=False
    ),
    # Relativistic average GAN, Jolicoeur-Martineau 2018 (arXiv 1807.00734), with cross-entropies: an image is compared
    # with the mean of the other kind. D(x) is the raw output, of which only differences have a meaning.
    "relativistic_average": Objective(_relativistic_discriminator, _relativistic_generator, _identity),
}
