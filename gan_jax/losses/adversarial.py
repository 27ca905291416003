"""Adversarial losses of both players, from logits [B] and targets [B]. Every loss is a mean over the batch.

discriminator(real_logits, fake_logits, targets): the SUM of the losses of real and of fake images, as in the papers.
    Some codebases halve it; with Adam, only the size of the printed loss differs.
generator(real_logits, fake_logits, targets): most of these losses do not use the real logits.
output(logits): D(x), which the metrics d_real and d_fake report.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.gan.types import Targets


class Objective(NamedTuple):
    """The losses of both players, and the definition of D(x) for them.

    uses_targets: whether the losses compare logits with targets. If False, the equations contain no targets, so that
        smoothing, flipping or inverting targets would change nothing.
    zero_means_won: whether D's loss (with targets 1 and 0) is near 0 only if D separates all real images from all
        fakes. False for a difference of means, and for a loss that is always 0.
    per_example: whether G's loss is a mean of losses of single images (or of pairs of a real image and a fake).
    centred: whether a logit above 0 means that D takes the image for real, and one below 0 for generated.
    logit_is_log_ratio: whether the logit of the best D (with targets 1 and 0) is log p_data(x) / p_G(x): true for the
        cross-entropies. Samplers that read D need it (runs/samplers.py).
    """

    discriminator: Callable[[jax.Array, jax.Array, Targets], jax.Array]
    generator: Callable[[jax.Array, jax.Array, Targets], jax.Array]
    output: Callable[[jax.Array], jax.Array]
    uses_targets: bool = True
    zero_means_won: bool = True
    per_example: bool = True
    centred: bool = False
    logit_is_log_ratio: bool = False


@jax.custom_jvp
def binary_cross_entropy(probabilities: jax.Array, targets: jax.Array) -> jax.Array:
    """-[t log p + (1 - t) log(1 - p)] elementwise, with each logarithm no less than -100.

    Value and gradient are those of PyTorch's BCELoss: the clamp keeps the loss finite at p = 0 and p = 1, and the
    derivative is (p - t) / max(p (1 - p), 1e-12). If a sigmoid is saturated in float32, the gradient through it is
    exactly 0. This vanishing gradient does not occur with `bce_logits`.
    """
    log = lambda p: jnp.maximum(jnp.log(p), -100.0)  # noqa: E731
    return -(targets * log(probabilities) + (1.0 - targets) * log(1.0 - probabilities))


@binary_cross_entropy.defjvp
def _binary_cross_entropy_jvp(primals, tangents):
    p, t = primals
    slope = (p - t) / jnp.maximum(p * (1.0 - p), 1e-12)
    # Targets are constants: no gradient flows into them.
    return binary_cross_entropy(p, t), slope * tangents[0]


def _bce_on_probabilities(logits: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.mean(binary_cross_entropy(jax.nn.sigmoid(logits), targets))


def _bce_on_logits(logits: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, targets))


def _one_class_softmax(logits: jax.Array) -> jax.Array:
    """exp(l) / exp(l) = 1 for every logit l."""
    return jax.nn.softmax(logits[:, None], axis=-1)[:, 0]


def _cross_entropy_of_one_class(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-t log softmax(l) over a single class, as PyTorch's CrossEntropyLoss computes it for [B, 1] against [B, 1].

    The softmax of one logit is 1, so the loss is -t log 1 = 0 and its gradient is t (1 - 1) = 0: a network that is
    trained with this loss does not change. The loss is here because published recipes use it. A network does learn with
    `cross_entropy_two_logits`.
    """
    return jnp.mean(optax.softmax_cross_entropy(logits[:, None], targets[:, None]))


def _cross_entropy_of_two_classes(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-t log p_real - (1 - t) log p_fake with (p_real, p_fake) = softmax(l, 0) [B, 2].

    A softmax depends only on the difference of its logits, here l = l_real - l_fake. So p_real = sigmoid(l), and the
    loss is that of `bce_logits`.
    """
    pairs = jnp.stack([logits, jnp.zeros_like(logits)], axis=-1)
    return jnp.mean(optax.softmax_cross_entropy(pairs, jnp.stack([targets, 1.0 - targets], axis=-1)))


def _half_squares(logits: jax.Array, targets: jax.Array) -> jax.Array:
    return 0.5 * jnp.mean((logits - targets) ** 2)


def _saturating_generator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """mean log(1 - D(G(z))), to be minimised (arXiv 1406.2661, eq. 1).

    With plain targets, this is minus the loss of fakes in D's loss. The derivative by a logit is
    (1 - targets.generator) - D(G(z)). With plain targets, it vanishes if D rejects the fakes. Smoothed, soft and
    flipped targets belong to D and do not change this loss.
    """
    del real
    return -_bce_on_logits(fake, 1.0 - targets.generator)


def _hinge_discriminator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))): outputs beyond the margins 1 and -1 do not lower the loss."""
    del targets
    return jnp.mean(jax.nn.relu(1.0 - real)) + jnp.mean(jax.nn.relu(1.0 + fake))


def _wasserstein_discriminator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """mean D(G(z)) - mean D(x): minus the estimated distance. It has no minimum if D has no Lipschitz bound."""
    del targets
    return jnp.mean(fake) - jnp.mean(real)


def _linear_generator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """-mean D(G(z)): the generator loss of the hinge GAN and of the Wasserstein GAN."""
    del real, targets
    return -jnp.mean(fake)


def _relativistic_loss(real: jax.Array, fake: jax.Array, real_targets: jax.Array, fake_targets: jax.Array) -> jax.Array:
    """Cross-entropy of D(x) - mean D(G(z)) with real_targets, plus that of D(G(z)) - mean D(x) with fake_targets."""
    return _bce_on_logits(real - jnp.mean(fake), real_targets) + _bce_on_logits(fake - jnp.mean(real), fake_targets)


def _relativistic_discriminator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    return _relativistic_loss(real, fake, targets.real, targets.fake)


def _relativistic_generator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """D's loss with exchanged targets: targets.generator for fakes, 1 - targets.generator for real images."""
    return _relativistic_loss(real, fake, 1.0 - targets.generator, targets.generator)


def _pairing_discriminator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """mean log(1 + exp(D(G(z_i)) - D(x_i))): each real image is compared with ONE fake.

    The fake with the same number in the batch has the same label: fakes have the labels of the real batch.
    """
    del targets
    return jnp.mean(jax.nn.softplus(fake - real))


def _pairing_generator(real: jax.Array, fake: jax.Array, targets: Targets) -> jax.Array:
    """mean log(1 + exp(D(x_i) - D(G(z_i)))): D's loss with real and fake exchanged."""
    return _pairing_discriminator(fake, real, targets)


def mean_of_top(
    objective: Objective, real: jax.Array, fake: jax.Array, targets: Targets, share: float | jax.Array
) -> jax.Array:
    """G's loss, averaged over the ceil(share B) fakes with the highest logits.

    Top-k training (arXiv 2002.06224, equation 3). G does not learn from its worst images, whose gradients lead away
    from real images (section 3).
    """

    def one(real, fake, targets):
        return objective.generator(*jax.tree.map(lambda leaf: leaf[None], (real, fake, targets)))

    losses = jax.vmap(one)(real, fake, targets)
    count = jnp.ceil(share * len(fake))
    rank = jnp.argsort(jnp.argsort(-jax.lax.stop_gradient(fake)))
    return jnp.sum(jnp.where(rank < count, losses, 0.0)) / count


def _identity(logits: jax.Array) -> jax.Array:
    return logits


def _elementwise(loss: Callable, output: Callable, **properties: bool) -> Objective:
    """The losses of both players from one function of (logits, targets)."""
    return Objective(
        discriminator=lambda real, fake, targets: loss(real, targets.real) + loss(fake, targets.fake),
        generator=lambda real, fake, targets: loss(fake, targets.generator),
        output=output,
        **properties,
    )


def _cross_entropy(loss: Callable) -> Objective:
    """An objective whose D is a classifier of real and fake, D(x) = sigmoid(logit)."""
    return _elementwise(loss, jax.nn.sigmoid, centred=True, logit_is_log_ratio=True)


OBJECTIVES = {
    # Goodfellow et al. 2014 (arXiv 1406.2661), non-saturating: D: -log D(x) - log(1 - D(G(z))), G: -log D(G(z)).
    "bce": _cross_entropy(_bce_on_probabilities),
    # The same losses, computed from the logits: without a clamp, and without a vanishing gradient in float32.
    "bce_logits": _cross_entropy(_bce_on_logits),
    # The same loss of D, with the minimax loss of G (arXiv 1406.2661, eq. 1), which minimises log(1 - D(G(z))).
    "saturating": _cross_entropy(_bce_on_logits)._replace(generator=_saturating_generator),
    # A softmax over ONE class: the loss is always 0, so nothing is learned. D(x) = 1 for every image.
    "cross_entropy": _elementwise(_cross_entropy_of_one_class, _one_class_softmax, zero_means_won=False),
    # A softmax over the two classes real and fake: `bce_logits` of the difference of their logits.
    "cross_entropy_two_logits": _cross_entropy(_cross_entropy_of_two_classes),
    # Least squares, Mao et al. 2016 (arXiv 1611.04076), eq. 2, on the raw output: b = targets.real, a = targets.fake,
    # c = targets.generator.
    "lsgan": _elementwise(_half_squares, _identity),
    # Lim and Ye 2017 (arXiv 1705.02894), Miyato et al. 2018 (arXiv 1802.05957), on the raw output.
    "hinge": Objective(_hinge_discriminator, _linear_generator, _identity, uses_targets=False, centred=True),
    # Arjovsky et al. 2017 (arXiv 1701.07875), on the raw output. Another technique must bound D's Lipschitz constant.
    "wasserstein": Objective(
        _wasserstein_discriminator, _linear_generator, _identity, uses_targets=False, zero_means_won=False
    ),
    # Relativistic average GAN, Jolicoeur-Martineau 2018 (arXiv 1807.00734), with cross-entropies: a real image
    # is compared with the mean of the fakes, and a fake with the mean of the real images. D(x) is the raw output, of
    # which only differences have a meaning.
    "relativistic_average": Objective(
        _relativistic_discriminator, _relativistic_generator, _identity, per_example=False
    ),
    # Relativistic pairing GAN, Jolicoeur-Martineau 2018 (arXiv 1807.00734, section 4.1), the loss of R3GAN (Huang et
    # al. 2024, arXiv 2501.05441, eq. 2), where the penalties r1 and r2 of one weight make it converge.
    "relativistic_pairing": Objective(_pairing_discriminator, _pairing_generator, _identity, uses_targets=False),
}
