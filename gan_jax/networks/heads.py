"""The last layer of D, its head: (features [B, F], labels [B], train) -> DiscriminatorOutput."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.layers.conditioning import LabelEmbedding
from gan_jax.layers.kernel_norms import Dense, plain


class _Head(nn.Module):
    """num_classes: K; how dense kernels start; how kernels and embeddings are reparametrised."""

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
    """logit = l_real - l_fake of a softmax over two logits, which depends on their difference alone."""

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
            # Entries N(0, 1) would let the label's term, a sum over F features, drown the rest at the start.
            embedding = embedding * width**-0.5
        return DiscriminatorOutput(logits + jnp.sum(embedding * features, axis=-1), features)


class Class(_Head):
    """K class logits, and logit = logsumexp(class logits).

    The K + 1-class discriminator of Salimans et al. 2016 (arXiv 1606.03498, section 5) with the fake class's logit
    fixed to 0: p(real | x) = Z / (Z + 1), Z = sum exp l_k, so that the unsupervised loss is plain BCE with logits.
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
