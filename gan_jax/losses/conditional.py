"""Terms for class-conditional GANs, with heads of their own: each a function LossInputs -> scalar.

A term without `_fake` is D's and is about real images (and about fakes, if it says so). A term with `_fake` is about
generated images.
"""

import jax
import jax.numpy as jnp
import optax

from gan_jax.gan.types import DiscriminatorOutput, LossInputs
from gan_jax.losses import needs
from gan_jax.losses.term import Knob, Term


def _cross_entropies(class_logits: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(class_logits, labels)


def twin_classification(inputs: LossInputs) -> jax.Array:
    """Mean cross-entropy of the twin classifier of generated images with the labels given to G (arXiv 1907.02690).

    Equation 4: D minimises it, and G maximises it, so its weight in g_loss is negative. With `classification` in d_loss
    and `classification_fake` in g_loss it removes the term -H(Y|X) of AC-GAN, for which G makes images that are easy to
    classify.
    """
    return jnp.mean(_cross_entropies(inputs.fake.extras["twin_logits"], inputs.fakes.labels))


def discriminative_classification(inputs: LossInputs) -> jax.Array:
    """-mean log C(y, real | x) - mean log C(y, fake | G(z, y)), with 2K classes (arXiv 2107.10060, eq. 5)."""
    real, fake = (output.extras["all_class_logits"] for output in (inputs.real, inputs.fake))
    fake_labels = inputs.fakes.labels + fake.shape[-1] // 2
    return jnp.mean(_cross_entropies(real, inputs.batch.labels)) + jnp.mean(_cross_entropies(fake, fake_labels))


def discriminative_classification_fake(inputs: LossInputs) -> jax.Array:
    """-mean log C(y, real | G(z, y)) + mean log C(y, fake | G(z, y)) (arXiv 2107.10060, eq. 6). A generator term."""
    logits, labels = inputs.fake.extras["all_class_logits"], inputs.fakes.labels
    return jnp.mean(_cross_entropies(logits, labels) - _cross_entropies(logits, labels + logits.shape[-1] // 2))


def _contrastive(output: DiscriminatorOutput, labels: jax.Array, temperature: float) -> jax.Array:
    """-mean log (exp(f_i e_i / t) + sum_{k != i, y_k = y_i} exp(f_i f_k / t)) / (the same sum over all k != i)."""
    embedding, proxy = output.extras["embedding"], output.extras["proxy"]
    others = jnp.where(jnp.eye(len(labels), dtype=bool), -jnp.inf, embedding @ embedding.T / temperature)
    same_class = jnp.where(labels[:, None] == labels[None], others, -jnp.inf)
    own = jnp.sum(embedding * proxy, axis=1, keepdims=True) / temperature
    positive, every = (jax.nn.logsumexp(jnp.concatenate([own, x], axis=1), axis=1) for x in (same_class, others))
    return jnp.mean(every - positive)


def contrastive(inputs: LossInputs, *, temperature: float) -> jax.Array:
    """Conditional contrastive loss 2C of the real images (ContraGAN, arXiv 2006.12681, equation 8), see `_contrastive`.

    f: unit embedding of an image; e: that of its class. Images of one class, and their class, are drawn together.
    """
    return _contrastive(inputs.real, inputs.batch.labels, temperature)


def contrastive_fake(inputs: LossInputs, *, temperature: float) -> jax.Array:
    """The same loss of generated images. A term of either player; in the paper, of G."""
    return _contrastive(inputs.fake, inputs.fakes.labels, temperature)


def _data_to_data(output: DiscriminatorOutput, labels: jax.Array, temperature: float, margin: float) -> jax.Array:
    """-mean log (p_i / (p_i + sum_{j: y_j != y_i} n_ij)).

    p_i = exp([f_i e_i - m]_- / t) and n_ij = exp([f_i f_j - (1 - m)]_+ / t), with t the temperature and m the margin.
    []_- is min(., 0) and []_+ is max(., 0): pairs that are near or far enough have no gradient.
    """
    embedding, proxy = output.extras["embedding"], output.extras["proxy"]
    own = jnp.minimum(jnp.sum(embedding * proxy, axis=1) - margin, 0) / temperature
    between = jnp.maximum(embedding @ embedding.T - (1 - margin), 0) / temperature
    negative = jnp.where(labels[:, None] == labels[None], -jnp.inf, between)
    every = jax.nn.logsumexp(jnp.concatenate([own[:, None], negative], axis=1), axis=1)
    return jnp.mean(every - own)


def data_to_data(inputs: LossInputs, *, temperature: float, margin: float) -> jax.Array:
    """Data-to-data cross-entropy D2D-CE of the real images (ReACGAN, arXiv 2111.01118, eq. 8), see `_data_to_data`."""
    return _data_to_data(inputs.real, inputs.batch.labels, temperature, margin)


def data_to_data_fake(inputs: LossInputs, *, temperature: float, margin: float) -> jax.Array:
    """The same loss of generated images. A term of either player; in the paper, of G."""
    return _data_to_data(inputs.fake, inputs.fakes.labels, temperature, margin)


def _multi_hinge(class_logits: jax.Array, labels: jax.Array) -> jax.Array:
    """mean max(0, 1 - C_y + max_{k != y} C_k)."""
    is_own = jax.nn.one_hot(labels, class_logits.shape[-1], dtype=bool)
    own = jnp.sum(jnp.where(is_own, class_logits, 0), axis=1)
    best_other = jnp.max(jnp.where(is_own, -jnp.inf, class_logits), axis=1)
    return jnp.mean(jax.nn.relu(1 - own + best_other))


def multi_hinge(inputs: LossInputs) -> jax.Array:
    """Multi-class hinge loss of real images with their class, and of fakes with the class K + 1 (arXiv 1912.04216)."""
    fake = inputs.fake.class_logits
    fake_class = jnp.full((len(fake),), fake.shape[-1] - 1)
    return _multi_hinge(inputs.real.class_logits, inputs.batch.labels) + _multi_hinge(fake, fake_class)


def multi_hinge_fake(inputs: LossInputs) -> jax.Array:
    """Multi-class hinge loss of generated images with the labels given to G (arXiv 1912.04216). A generator term."""
    return _multi_hinge(inputs.fake.class_logits, inputs.fakes.labels)


_TEMPERATURE = Knob(0.5, "more than 0", lambda value: value > 0)
_MARGIN = Knob(0.98, "from 0.5 to 1", lambda value: 0.5 <= value <= 1)  # the published code's, as the temperature
_PAIRS = {"uses_labels": True, "needs": (needs.head("contrastive"), needs.two_images)}
_ALL = {"needs_classes": True, "uses_labels": True}

TERMS = {
    # Images of one class and their class are near each other, in comparison with all other images
    "contrastive": Term(contrastive, "d", {"temperature": _TEMPERATURE}, **_PAIRS),
    "contrastive_fake": Term(contrastive_fake, "dg", {"temperature": _TEMPERATURE}, **_PAIRS),
    # The same with margins, in comparison with images of other classes only
    "data_to_data": Term(data_to_data, "d", {"temperature": _TEMPERATURE, "margin": _MARGIN}, **_PAIRS),
    "data_to_data_fake": Term(data_to_data_fake, "dg", {"temperature": _TEMPERATURE, "margin": _MARGIN}, **_PAIRS),
    # Cross-entropy with the 2K classes of real and of generated images
    "discriminative_classification": Term(
        discriminative_classification, "d", uses_labels=True, needs=(needs.head("discriminative"),)
    ),
    "discriminative_classification_fake": Term(
        discriminative_classification_fake, "g", uses_labels=True, needs=(needs.head("discriminative"),)
    ),
    # Hinge loss of K + 1 classes
    "multi_hinge": Term(multi_hinge, "d", needs=(needs.fake_class,), **_ALL),
    "multi_hinge_fake": Term(multi_hinge_fake, "g", needs=(needs.fake_class,), **_ALL),
    # Cross-entropy of a second classifier, of generated images; its weight in g_loss is negative
    "twin_classification": Term(twin_classification, "dg", uses_labels=True, needs=(needs.head("twin"),)),
}
