"""Heads of D, its last layer: (features [B, F], labels [B], train) -> DiscriminatorOutput."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.layers.conditioning import LabelEmbedding
from gan_jax.layers.kernel_norms import Dense, plain


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
        if self.kernel_norm is plain:
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


HEADS = {
    "auxiliary": Auxiliary,
    "auxiliary_fake": AuxiliaryFake,
    "binary": Binary,
    "class": Class,
    "projection": Projection,
    "two_logits": TwoLogits,
}
# Heads with class logits.
CLASS_HEADS = ("auxiliary", "auxiliary_fake", "class")
