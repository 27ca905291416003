"""Heads of D, its last layer: (features [B, F], labels [B], train) -> DiscriminatorOutput."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.layers.conditioning import LabelEmbedding
from gan_jax.layers.kernel_norms import Dense, equalised, plain


class _Head(nn.Module):
    """Fields of all heads.

    num_classes: K.
    kernel_init: initializer of the dense kernels.
    kernel_norm: reparametrisation of the kernels and embeddings.
    """

    num_classes: int
    kernel_init: Callable
    kernel_norm: Callable = plain

    def dense(self, features: int) -> Dense:
        return Dense(features, self.kernel_init, self.kernel_norm)


class Binary(_Head):
    """One logit, w . f + b."""

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        return DiscriminatorOutput(self.dense(1)(features, train)[:, 0], features)


class TwoLogits(_Head):
    """logit = l_real - l_fake. A softmax over these two logits depends only on their difference."""

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        pair = self.dense(2)(features, train)
        return DiscriminatorOutput(pair[:, 0] - pair[:, 1], features)


class Projection(_Head):
    """logit = w . f + b + e(y) . f, the projection discriminator (arXiv 1802.05637, eq. 3)."""

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        width = features.shape[-1]
        logits = self.dense(1)(features, train)[:, 0]
        embedding = LabelEmbedding(self.num_classes, width, kernel_norm=self.kernel_norm)(labels, train)
        if self.kernel_norm in (plain, equalised):
            # With entries N(0, 1), the label's term, a sum over F features, would dominate the logit at the start.
            embedding = embedding * width**-0.5
        return DiscriminatorOutput(logits + jnp.sum(embedding * features, axis=-1), features)


class Class(_Head):
    """K class logits, and logit = logsumexp(class logits).

    The discriminator with K + 1 classes of Salimans et al. 2016 (arXiv 1606.03498, section 5). The logit of the fake
    class is fixed to 0, so p(real | x) = Z / (Z + 1) with Z = sum exp l_k, and the unsupervised loss is the binary
    cross-entropy with logits.
    """

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        class_logits = self.dense(self.num_classes)(features, train)
        return DiscriminatorOutput(nn.logsumexp(class_logits, axis=-1), features, class_logits)


class Auxiliary(_Head):
    """One logit and K class logits from the same features, AC-GAN (arXiv 1610.09585)."""

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        logits = self.dense(1)(features, train)[:, 0]
        return DiscriminatorOutput(logits, features, self.dense(self.num_classes)(features, train))


class AuxiliaryFake(_Head):
    """One logit and K + 1 class logits, the last of them for generated images (the term `classification_as_fake`)."""

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        logits = self.dense(1)(features, train)[:, 0]
        return DiscriminatorOutput(logits, features, self.dense(self.num_classes + 1)(features, train))


class Twin(_Head):
    """One logit and K class logits twice: the second time for generated images alone, TAC-GAN (arXiv 1907.02690).

    extras: "twin_logits" [B, K], for the term `twin_classification`.
    """

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        logits = self.dense(1)(features, train)[:, 0]
        class_logits, twin_logits = (self.dense(self.num_classes)(features, train) for _ in range(2))
        return DiscriminatorOutput(logits, features, class_logits, {"twin_logits": twin_logits})


class Discriminative(_Head):
    """One logit and 2K class logits: each class of real and each of generated images, ADC-GAN (arXiv 2107.10060).

    class_logits: those of the real classes. extras: "all_class_logits" [B, 2K], real classes first.
    """

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        logits = self.dense(1)(features, train)[:, 0]
        all_logits = self.dense(2 * self.num_classes)(features, train)
        return DiscriminatorOutput(
            logits, features, all_logits[:, : self.num_classes], {"all_class_logits": all_logits}
        )


class Contrastive(_Head):
    """One logit, and two unit vectors: an embedding of the image and one of its class (arXiv 2006.12681, 2111.01118).

    extras: "embedding" [B, E], linear in the features, and "proxy" [B, E], a learned vector per class; E is the number
    of features, at most 512.
    """

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        width = min(features.shape[-1], 512)
        logits = self.dense(1)(features, train)[:, 0]
        embedding = self.dense(width)(features, train)
        proxy = LabelEmbedding(self.num_classes, width, kernel_norm=self.kernel_norm)(labels, train)
        extras = {"embedding": unit_length(embedding), "proxy": unit_length(proxy)}
        return DiscriminatorOutput(logits, features, None, extras)


class Info(_Head):
    """One logit, and a prediction of the first entries of z from the same features, InfoGAN (arXiv 1606.03657).

    extras: "codes" [B, `codes`], linear in the features.
    """

    codes: int = 2

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        logits = self.dense(1)(features, train)[:, 0]
        return DiscriminatorOutput(logits, features, None, {"codes": self.dense(self.codes)(features, train)})


def unit_length(rows: jax.Array) -> jax.Array:
    """Each row divided by its L2 norm."""
    # Plus 1e-12, because the root has no gradient at 0.
    return rows * jax.lax.rsqrt(jnp.sum(rows**2, axis=-1, keepdims=True) + 1e-12)


HEADS = {
    "auxiliary": Auxiliary,
    "auxiliary_fake": AuxiliaryFake,
    "binary": Binary,
    "class": Class,
    "contrastive": Contrastive,
    "discriminative": Discriminative,
    "info": Info,
    "twin": Twin,
    "projection": Projection,
    "two_logits": TwoLogits,
}
# Heads with class logits.
CLASS_HEADS = ("auxiliary", "auxiliary_fake", "class", "discriminative", "twin")
# Heads that need the label of an image.
LABEL_HEADS = ("contrastive", "projection")
