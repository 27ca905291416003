"""Terms over the classes that the discriminator gives, each a function LossInputs -> scalar."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from gan_jax.gan.types import LossInputs
from gan_jax.losses.term import Knob, Term


def _cross_entropy(class_logits: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(class_logits, labels))


def classification(inputs: LossInputs) -> jax.Array:
    """Mean cross-entropy of the real images' class logits with their labels (arXiv 1610.09585, L_C on real images).

    In semi-supervised training, of the labelled images alone. A discriminator term.
    """
    if inputs.labelled is not None:
        return _cross_entropy(inputs.labelled.class_logits, inputs.batch.labelled.labels)
    return _cross_entropy(inputs.real.class_logits, inputs.batch.labels)


def propagated_label(inputs: LossInputs, *, decay_steps: int, power: float) -> jax.Array:
    """Mean over real images of (1 - p(y | x)^q) / q with the label y propagated to each (propagation.py), q = `power`.

    In semi-supervised training: where D starts. q = 0 is the cross-entropy, q = 1 the absolute error, whose gradient is
    small where D is sure of another class (generalized cross-entropy, arXiv 1805.07836, eq. 6). Decays linearly to 0
    over `decay_steps` training steps, because D soon beats the propagated labels; 0 disables the decay. A discriminator
    term.
    """
    share = jnp.maximum(0.0, 1.0 - inputs.step / decay_steps) if decay_steps else 1.0
    surprise = optax.softmax_cross_entropy_with_integer_labels(inputs.real.class_logits, inputs.batch.labels)
    return share * jnp.mean(-jnp.expm1(-power * surprise) / power if power else surprise)


def classification_fake(inputs: LossInputs) -> jax.Array:
    """The same on generated images and the labels that they were conditioned on. A term of either player."""
    return _cross_entropy(inputs.fake.class_logits, inputs.fakes.labels)


def classification_as_fake(inputs: LossInputs) -> jax.Array:
    """Mean cross-entropy of generated images with the last class, which stands for "generated" (arXiv 1606.01583).

    For the head `auxiliary_fake`, whose class logits are K + 1. A discriminator term.
    """
    logits = inputs.fake.class_logits
    return _cross_entropy(logits, jnp.full((len(logits),), logits.shape[-1] - 1))


def entropy(inputs: LossInputs) -> jax.Array:
    """Mean over real images of H(p(y | x)) = -sum_k p_k log p_k, conditional entropy (Grandvalet and Bengio 2004).

    A discriminator that is sure of a class for each image puts its boundaries where no images are.
    """
    log_p = jax.nn.log_softmax(inputs.real.class_logits)
    return -jnp.mean(jnp.sum(jnp.exp(log_p) * log_p, axis=-1))


def class_balance(inputs: LossInputs) -> jax.Array:
    """KL(p(y) || uniform) = log K - H(p(y)) of p(y) = mean p(y | x) over the batch's real images.

    Every class is given to as many images, the marginal class entropy of a CatGAN (arXiv 1511.06390); it presumes
    classes of equal size. A batch's own draw of them alone makes it about (K - 1) / (2 B). A discriminator term.
    """
    log_p = jax.nn.log_softmax(inputs.real.class_logits)
    log_p = jax.nn.logsumexp(log_p, axis=0) - math.log(len(log_p))
    return math.log(len(log_p)) + jnp.sum(jnp.exp(log_p) * log_p)


def _held_to(inputs: LossInputs, target: str) -> jax.Array:
    """Class logits of the real images that D's are held to: of its own second look, or of the averaged D's."""
    look = inputs.discriminate if target == "own" else inputs.discriminate_ema
    return look(inputs.batch.images, inputs.batch.labels).class_logits


def noise_consistency(inputs: LossInputs, *, target: str) -> jax.Array:
    """Mean over real images of || p(y | x; n) - p(y | x; n') ||^2 / K for two draws n, n' of D's own noise and dropout.

    The Pi-model (arXiv 1610.02242, section 2.1). target `ema`: the second look is the averaged D's, without noise
    (Mean Teacher, arXiv 1703.01780, section 2). A discriminator term.
    """
    again = _held_to(inputs, target)
    return jnp.mean((jax.nn.softmax(inputs.real.class_logits) - jax.nn.softmax(again)) ** 2)


def pseudo_label(inputs: LossInputs, *, threshold: float, target: str) -> jax.Array:
    """Mean over real images of 1[max_k q_k >= threshold] H(argmax_k q_k, p(y | x)), q the classes of a second look.

    Pseudo-labels (Lee 2013) of the images that D is sure of, as in FixMatch (arXiv 2001.07685, eq. 4), whose weak and
    strong augmentation is D's own noise here. target `ema`: the second look is the averaged D's, without noise.
    The mean is over all images: those below the threshold count 0. A discriminator term.
    """
    log_q = jax.nn.log_softmax(jax.lax.stop_gradient(_held_to(inputs, target)))
    sure = jnp.max(log_q, axis=-1) >= math.log(threshold)
    surprise = optax.softmax_cross_entropy_with_integer_labels(inputs.real.class_logits, jnp.argmax(log_q, axis=-1))
    return jnp.mean(jnp.where(sure, surprise, 0.0))


def _divergence(p_logits: jax.Array, q_logits: jax.Array) -> jax.Array:
    """KL(p || q) of softmaxes, [B]."""
    log_p, log_q = jax.nn.log_softmax(p_logits), jax.nn.log_softmax(q_logits)
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


def virtual_adversarial(inputs: LossInputs, *, radius: float, probe: float, target: str) -> jax.Array:
    """Mean over real images of KL(p(y | x) || p(y | x + r)), virtual adversarial training (arXiv 1704.03976).

    r is the perturbation of L2 norm `radius` that changes the classes most: one power iteration from a random direction
    d, r = radius g / ||g|| with g the gradient of the divergence at `probe` d (algorithm 1). p(y | x) is held fixed,
    and all looks share their draws inside D; with target `ema` p(y | x) is the averaged D's, without noise. A
    discriminator term; needs a D in which images do not see each other.
    """
    images, labels = inputs.batch.images, inputs.batch.labels

    def unit(direction: jax.Array) -> jax.Array:
        return direction / (jnp.sqrt(jnp.sum(direction**2, axis=(1, 2, 3), keepdims=True)) + 1e-12)

    def divergence(perturbation: jax.Array) -> jax.Array:
        return _divergence(clean, inputs.discriminate(images + perturbation, labels).class_logits)

    clean = jax.lax.stop_gradient(_held_to(inputs, target))
    start = probe * unit(jax.random.normal(inputs.key, images.shape))
    worst = jax.grad(lambda perturbation: jnp.sum(divergence(perturbation)))(start)
    return jnp.mean(divergence(radius * unit(jax.lax.stop_gradient(worst))))


def interpolation(inputs: LossInputs, *, target: str) -> jax.Array:
    """Mean over real images of KL(l q_i + (1 - l) q_j || p(y | l x_i + (1 - l) x_j)), q the classes of second looks.

    Interpolation consistency (arXiv 1903.03825, section 2, with the divergence for the squared difference): between two
    images D's classes change in a straight line. x_j is another image of the batch, l uniform in [0, 1], q is held
    fixed. target `ema`: q is the averaged D's, without noise, as published. A discriminator term.
    """
    images, labels = inputs.batch.images, inputs.batch.labels
    share = jax.random.uniform(jax.random.fold_in(inputs.key, 1), (len(labels), 1, 1, 1))

    def mixed(values: jax.Array, share: jax.Array) -> jax.Array:
        return share * values + (1 - share) * jnp.roll(values, 1, axis=0)  # the order of a batch is random

    q = mixed(jax.nn.softmax(jax.lax.stop_gradient(_held_to(inputs, target))), share[:, :, 0, 0])
    log_p = jax.nn.log_softmax(inputs.discriminate(mixed(images, share), labels).class_logits)
    return jnp.mean(optax.losses.kl_divergence(log_p, q))


def codistillation(inputs: LossInputs) -> jax.Array:
    """Mean over real images of KL(q || p(y | x)), q the mean classes of networks that learn side by side.

    q is the run's networks' with the same labelled images, as they were when the call of several steps began, without
    noise (codistillation.py; arXiv 1804.03235, section 2, with the network itself in the mean). A discriminator term.
    """
    log_p = jax.nn.log_softmax(inputs.real.class_logits)
    return jnp.mean(optax.losses.kl_divergence(log_p, inputs.batch.extras["teacher_probs"]))


def _needs_ema(name: str) -> Callable[[ConfigDict], str]:
    """What the knob `target` of a term needs."""

    def lacks(config: ConfigDict) -> str:
        if config.terms[name].target == "own" or config.discriminator.ema_decay:
            return ""
        return f"an averaged D for terms.{name}.target=ema: set --config.discriminator.ema_decay=0.999"

    return lacks


def _needs_probe_above_rounding(config: ConfigDict) -> str:
    """bfloat16 rounds away the difference of D's outputs for images that are too near to each other.

    The worst directions of a D at 90 epochs in bfloat16 have a median cosine with float32's at 0.01 of 0.40 from a
    probe of 0.01, 0.86 from 0.1, 0.97 from 0.5 and from 1; float32's own from a probe of 1: 0.97 (200 images of MNIST).
    """
    probe = config.terms.virtual_adversarial.probe
    if config.dtype != "bfloat16" or probe >= 0.5:
        return ""
    return (
        f"a larger probe than {probe} in bfloat16, in which images so near to each other have the same classes: set "
        "--config.terms.virtual_adversarial.probe=1.0, or --config.dtype=float32"
    )


def _needs_unlabelled_images(config: ConfigDict) -> str:
    if config.data.num_labels:
        return ""
    return "images without a label, and every image has its own: set --config.data.num_labels=100"


def _needs_fake_class(config: ConfigDict) -> str:
    if config.discriminator.head == "auxiliary_fake":
        return ""
    return "a class for generated images: set --config.discriminator.head=auxiliary_fake"


# Whose classes of an image D's are compared with: those of a second look of its own, or of the averaged D.
_TARGET = Knob("own", choices=("own", "ema"))

TERMS = {
    "class_balance": Term(class_balance, needs_classes=True, ramps=True),
    "classification": Term(classification, needs_classes=True, uses_labels=True),
    "classification_as_fake": Term(classification_as_fake, needs_classes=True, needs=(_needs_fake_class,)),
    "classification_fake": Term(classification_fake, needs_classes=True, uses_labels=True),
    "codistillation": Term(codistillation, needs_classes=True, ramps=True),
    "entropy": Term(entropy, needs_classes=True, ramps=True),
    "interpolation": Term(
        interpolation,
        {"target": _TARGET},
        needs_classes=True,
        ramps=True,
        needs=(_needs_ema("interpolation"),),
    ),
    "noise_consistency": Term(
        noise_consistency,
        {"target": _TARGET},
        needs_classes=True,
        ramps=True,
        needs=(_needs_ema("noise_consistency"),),
    ),
    "propagated_label": Term(
        propagated_label,
        {
            "decay_steps": Knob(0, "0 or more", lambda steps: steps >= 0),
            "power": Knob(0.0, "from 0 to 1", lambda power: 0 <= power <= 1),
        },
        needs_classes=True,
        uses_labels=True,
        needs=(_needs_unlabelled_images,),
    ),
    "pseudo_label": Term(
        pseudo_label,
        {"threshold": Knob(0.95, "between 0 and 1", lambda threshold: 0 < threshold < 1), "target": _TARGET},
        needs_classes=True,
        ramps=True,
        needs=(_needs_ema("pseudo_label"),),
    ),
    "virtual_adversarial": Term(
        virtual_adversarial,
        {
            "radius": Knob(0.6, "more than 0", lambda radius: radius > 0),
            "probe": Knob(0.01, "more than 0", lambda probe: probe > 0),
            "target": _TARGET,
        },
        needs_classes=True,
        per_example=True,
        ramps=True,
        needs=(_needs_ema("virtual_adversarial"), _needs_probe_above_rounding),
    ),
}
