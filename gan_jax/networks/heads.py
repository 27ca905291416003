"""The discriminator's last layer: features [B, F] and labels [B] -> Critique. The head decides what a Critique is."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.conditioning import LabelEmbedding
from gan_jax.types import Critique


class Binary(nn.Module):
    """One logit, w . f + b."""

    num_classes: int
    kernel_init: Callable

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array) -> Critique:
        return Critique(nn.Dense(1, kernel_init=self.kernel_init)(features)[:, 0], features)


class Projection(nn.Module):
    """logit = w . f + b + e(y) . f, the projection discriminator (arXiv 1802.05637, eq. 3)."""

    num_classes: int
    kernel_init: Callable

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array) -> Critique:
        logits = nn.Dense(1, kernel_init=self.kernel_init)(features)[:, 0]
        # Entries N(0, 1) would let the label's term, a sum over F features, drown the rest at the start.
        embedding = LabelEmbedding(self.num_classes, features.shape[-1])(labels) * features.shape[-1] ** -0.5
        return Critique(logits + jnp.sum(embedding * features, axis=-1), features)


class Class(nn.Module):
    """K class logits, and logit = logsumexp(class logits).

    Exactly the K+1-class discriminator of Salimans et al. (arXiv 1606.03498, section 5) with the fake class's logit
    fixed to 0: p(real | x) = Z / (Z + 1), Z = sum exp l_k, so that the unsupervised loss is plain BCE with logits.
    """

    num_classes: int
    kernel_init: Callable

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array) -> Critique:
        class_logits = nn.Dense(self.num_classes, kernel_init=self.kernel_init)(features)
        return Critique(nn.logsumexp(class_logits, axis=-1), features, class_logits)


class Auxiliary(nn.Module):
    """One logit and K class logits from the same features, AC-GAN (arXiv 1610.09585)."""

    num_classes: int
    kernel_init: Callable

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array) -> Critique:
        logits = nn.Dense(1, kernel_init=self.kernel_init)(features)[:, 0]
        return Critique(logits, features, nn.Dense(self.num_classes, kernel_init=self.kernel_init)(features))


HEADS = {"auxiliary": Auxiliary, "binary": Binary, "class": Class, "projection": Projection}
