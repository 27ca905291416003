"""Terms over D's class probabilities p(y | x), each a function LossInputs -> scalar."""

import math

import jax
import jax.numpy as jnp
import optax

from gan_jax.gan.types import LossInputs
from gan_jax.losses import needs
from gan_jax.losses.term import Knob, Term


def _cross_entropy(class_logits: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(class_logits, labels))


def classification(inputs: LossInputs) -> jax.Array:
    """Mean cross-entropy of the real images' class logits with their labels (arXiv 1610.09585, L_C on real images).

    In semi-supervised training, the mean is over the labelled images only. A discriminator term.
    """
    if inputs.labelled is not None:
        return _cross_entropy(inputs.labelled.class_logits, inputs.batch.labelled.labels)
    return _cross_entropy(inputs.real.class_logits, inputs.batch.labels)


def propagated_label(inputs: LossInputs, *, decay_steps: int, power: float) -> jax.Array:
    """Mean over real images of (1 - p(y | x)^q) / q, q = `power`, with y the propagated label of x (propagation.py).

    The first training signal of D in semi-supervised training: generalized cross-entropy (arXiv 1805.07836, eq. 6).
    q = 0 is the cross-entropy. q = 1 is the absolute error, whose gradient is small if D is sure of another class. The
    term decays linearly to 0 over `decay_steps` training steps, because D soon beats the propagated labels; 0 disables
    the decay. A discriminator term.
    """
    decay = jnp.maximum(0.0, 1.0 - inputs.progress.step / decay_steps) if decay_steps else 1.0
    cross_entropies = optax.softmax_cross_entropy_with_integer_labels(inputs.real.class_logits, inputs.batch.labels)
    return decay * jnp.mean(-jnp.expm1(-power * cross_entropies) / power if power else cross_entropies)


def classification_fake(inputs: LossInputs) -> jax.Array:
    """Mean cross-entropy of generated images' class logits with the labels given to G. A term of either player."""
    return _cross_entropy(inputs.fake.class_logits, inputs.fakes.labels)


def classification_as_fake(inputs: LossInputs) -> jax.Array:
    """Mean cross-entropy of generated images with the last class, which means "generated" (arXiv 1606.01583).

    For the head `auxiliary_fake`, which has K + 1 class logits. A discriminator term.
    """
    logits = inputs.fake.class_logits
    return _cross_entropy(logits, jnp.full((len(logits),), logits.shape[-1] - 1))


def entropy(inputs: LossInputs) -> jax.Array:
    """Mean over real images of H(p(y | x)) = -sum_k p_k log p_k, conditional entropy (Grandvalet and Bengio 2004).

    If D is sure of the class of every image, its decision boundaries are in regions without images.
    """
    log_p = jax.nn.log_softmax(inputs.real.class_logits)
    return -jnp.mean(jnp.sum(jnp.exp(log_p) * log_p, axis=-1))


def class_balance(inputs: LossInputs) -> jax.Array:
    """KL(p(y) || uniform) = log K - H(p(y)) of p(y) = mean p(y | x) over the batch's real images.

    D assigns equally many images to every class: the marginal class entropy of a CatGAN (arXiv 1511.06390). This
    assumes classes of equal size. The random choice of a batch alone results in a value of about (K - 1) / (2 B). A
    discriminator term.
    """
    log_p = jax.nn.log_softmax(inputs.real.class_logits)
    log_p = jax.nn.logsumexp(log_p, axis=0) - math.log(len(log_p))
    return math.log(len(log_p)) + jnp.sum(jnp.exp(log_p) * log_p)


def _target_logits(inputs: LossInputs, target: str) -> jax.Array:
    """Target class logits of the real images, from a second forward pass: of D ("own"), or of the EMA of D ("ema")."""
    discriminate = inputs.discriminate if target == "own" else inputs.discriminate_ema
    return discriminate(inputs.batch.images, inputs.batch.labels).class_logits


def noise_consistency(inputs: LossInputs, *, target: str) -> jax.Array:
    """Mean over real images of || p(y | x; n) - p(y | x; n') ||^2 / K for two draws n, n' of D's own noise and dropout.

    The Pi-model (arXiv 1610.02242, section 2.1). target `ema`: the second forward pass uses the EMA of D, without noise
    (Mean Teacher, arXiv 1703.01780, section 2). A discriminator term.
    """
    target_logits = _target_logits(inputs, target)
    return jnp.mean((jax.nn.softmax(inputs.real.class_logits) - jax.nn.softmax(target_logits)) ** 2)


def pseudo_label(inputs: LossInputs, *, threshold: float, target: str) -> jax.Array:
    """Mean over real images of 1[max_k q_k >= threshold] H(argmax_k q_k, p(y | x)).

    q are the class probabilities of a second forward pass. These are pseudo-labels (Lee 2013) for the images of whose
    class D is sure, as in FixMatch (arXiv 2001.07685, eq. 4); D's own noise replaces its weak and strong augmentation.
    target `ema`: the second forward pass uses the EMA of D, without noise. The mean is over all images; images below
    the threshold count as 0. A discriminator term.
    """
    log_q = jax.nn.log_softmax(jax.lax.stop_gradient(_target_logits(inputs, target)))
    is_sure = jnp.max(log_q, axis=-1) >= math.log(threshold)
    pseudo_labels = jnp.argmax(log_q, axis=-1)
    cross_entropies = optax.softmax_cross_entropy_with_integer_labels(inputs.real.class_logits, pseudo_labels)
    return jnp.mean(jnp.where(is_sure, cross_entropies, 0.0))


def _divergence(p_logits: jax.Array, q_logits: jax.Array) -> jax.Array:
    """KL(p || q) of the softmax probabilities, [B]."""
    log_p, log_q = jax.nn.log_softmax(p_logits), jax.nn.log_softmax(q_logits)
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


def virtual_adversarial(inputs: LossInputs, *, radius: float, probe: float, target: str) -> jax.Array:
    """Mean over real images of KL(p(y | x) || p(y | x + r)), virtual adversarial training (arXiv 1704.03976).

    r is the perturbation of L2 norm `radius` that changes the classes most, from one power iteration that starts in a
    random direction d: r = radius g / ||g||, with g the gradient of the divergence at `probe` d (algorithm 1). No
    gradient flows through p(y | x). All forward passes of the term use the same random draws inside D. target `ema`:
    p(y | x) is that of the EMA of D, without noise. A discriminator term. No layer of D may mix the images of a batch.
    """
    images, labels = inputs.batch.images, inputs.batch.labels

    def unit(direction: jax.Array) -> jax.Array:
        return direction / (jnp.sqrt(jnp.sum(direction**2, axis=(1, 2, 3), keepdims=True)) + 1e-12)

    def divergence(perturbation: jax.Array) -> jax.Array:
        return _divergence(clean, inputs.discriminate(images + perturbation, labels).class_logits)

    clean = jax.lax.stop_gradient(_target_logits(inputs, target))
    start = probe * unit(jax.random.normal(inputs.key, images.shape))
    worst = jax.grad(lambda perturbation: jnp.sum(divergence(perturbation)))(start)
    return jnp.mean(divergence(radius * unit(jax.lax.stop_gradient(worst))))


def interpolation(inputs: LossInputs, *, target: str) -> jax.Array:
    """Mean over real images of KL(l q_i + (1 - l) q_j || p(y | l x_i + (1 - l) x_j)), l ~ U(0, 1).

    Interpolation consistency (arXiv 1903.03825, section 2, with the divergence instead of the squared difference):
    between two images, D's class probabilities change linearly. x_j is another image of the batch. q are the class
    probabilities of a second forward pass, through which no gradient flows. target `ema`: q are those of the EMA of D,
    without noise, as published. A discriminator term.
    """
    images, labels = inputs.batch.images, inputs.batch.labels
    weight = jax.random.uniform(jax.random.fold_in(inputs.key, 1), (len(labels), 1, 1, 1))

    def mixed(values: jax.Array, weight: jax.Array) -> jax.Array:
        return weight * values + (1 - weight) * jnp.roll(values, 1, axis=0)  # the order of a batch is random

    q = mixed(jax.nn.softmax(jax.lax.stop_gradient(_target_logits(inputs, target))), weight[:, :, 0, 0])
    log_p = jax.nn.log_softmax(inputs.discriminate(mixed(images, weight), labels).class_logits)
    return jnp.mean(optax.losses.kl_divergence(log_p, q))


def codistillation(inputs: LossInputs) -> jax.Array:
    """Mean over real images of KL(q || p(y | x)), q the mean class probabilities of networks trained in parallel.

    The mean is over the run's networks with the same labelled images, without noise, with their states at the start of
    the call of several steps (semi_supervised/codistillation.py). It is that of arXiv 1804.03235, section 2, but it
    includes the network itself. A discriminator term.
    """
    log_p = jax.nn.log_softmax(inputs.real.class_logits)
    return jnp.mean(optax.losses.kl_divergence(log_p, inputs.batch.extras["teacher_probs"]))


# The network that gives the target class probabilities: D itself (own), or the EMA of D (ema).
_TARGET = Knob("own", choices=("own", "ema"))

# All need class logits: discriminator.head=class, auxiliary or auxiliary_fake.
TERMS = {
    # KL divergence of the mean class probabilities of a batch from equal frequencies
    "class_balance": Term(class_balance, "d", needs_classes=True, ramps=True),
    # Cross-entropy of the classes of real images
    "classification": Term(classification, "d", needs_classes=True, uses_labels=True),
    # Head auxiliary_fake: generated images belong to an extra class
    "classification_as_fake": Term(classification_as_fake, "d", needs_classes=True, needs=(needs.fake_class,)),
    # Cross-entropy of D's classes of generated images
    "classification_fake": Term(classification_fake, "dg", needs_classes=True, uses_labels=True),
    # KL divergence from the mean of the networks of the run; needs several seeds
    "codistillation": Term(codistillation, "d", needs_classes=True, ramps=True),
    # Entropy of the class probabilities
    "entropy": Term(entropy, "d", needs_classes=True, ramps=True),
    # Between two images: KL divergence from the interpolated class probabilities
    "interpolation": Term(
        interpolation, "d", {"target": _TARGET}, needs_classes=True, ramps=True, needs=(needs.ema("interpolation"),)
    ),
    # Squared difference between two forward passes with different noise
    "noise_consistency": Term(
        noise_consistency,
        "d",
        {"target": _TARGET},
        needs_classes=True,
        ramps=True,
        needs=(needs.ema("noise_consistency"),),
    ),
    # Cross-entropy with labels that are propagated from similar images
    "propagated_label": Term(
        propagated_label,
        "d",
        {
            # The weight decays linearly to 0 over so many training steps, because D soon beats the propagated labels.
            # 0: no decay
            "decay_steps": Knob(0, "0 or more", lambda steps: steps >= 0),
            # q of the generalized cross-entropy (1 - p^q) / q. 0: cross-entropy. 1: absolute error
            "power": Knob(0.0, "from 0 to 1", lambda power: 0 <= power <= 1),
        },
        needs_classes=True,
        uses_labels=True,
        needs=(needs.unlabelled_images,),
    ),
    # Cross-entropy with the class of another forward pass, if that is certain
    "pseudo_label": Term(
        pseudo_label,
        "d",
        {
            # Smallest probability of a class that counts as certain
            "threshold": Knob(0.95, "between 0 and 1", lambda threshold: 0 < threshold < 1),
            "target": _TARGET,
        },
        needs_classes=True,
        ramps=True,
        needs=(needs.ema("pseudo_label"),),
    ),
    # KL divergence under the worst small perturbation of the image
    "virtual_adversarial": Term(
        virtual_adversarial,
        "d",
        {  # L2 norms, of pixels in [-1, 1]
            # Of the perturbation. Published for MNIST with 100 labels: 0.3 of pixels in [0, 1]
            "radius": Knob(0.6, "more than 0", lambda radius: radius > 0),
            # Of the random perturbation that starts the search. bfloat16 needs 0.5 or more
            "probe": Knob(0.01, "more than 0", lambda probe: probe > 0),
            "target": _TARGET,
        },
        needs_classes=True,
        per_example=True,
        ramps=True,
        needs=(needs.ema("virtual_adversarial"), needs.probe_above_rounding),
    ),
}
