"""Conditioning of a network's input on labels: modules (x, labels int32 [B], train) -> x, a vector or an image."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.kernel_norms import plain


def soft_one_hot(labels: jax.Array, num_classes: int, smoothing: float) -> jax.Array:
    """(1 - s) one-hot(y) + s / K, [B, K]. s: `smoothing`; s = 0 results in the one-hot vector.

    labels: int [B], or float [B, K]: weights of the classes that replace one-hot(y), for a point between classes.
    """
    weights = labels if labels.ndim == 2 else jax.nn.one_hot(labels, num_classes)
    return weights * (1.0 - smoothing) + smoothing / num_classes


class LabelEmbedding(nn.Module):
    """A learned vector for every class, [B] -> [B, features]. Its entries start as N(0, 1).

    Computed as one-hot vector times matrix, so that the gradient is a matrix product. The gradient of indexing would be
    a scatter.
    """

    num_classes: int
    features: int
    embedding_init: Callable = nn.initializers.normal(1.0)
    smoothing: float = 0.0
    kernel_norm: Callable = plain

    @nn.compact
    def __call__(self, labels: jax.Array, train: bool) -> jax.Array:
        table = self.param("embedding", self.embedding_init, (self.num_classes, self.features))
        rows = soft_one_hot(labels, self.num_classes, self.smoothing)
        return self.kernel_norm(self, lambda w: rows @ w, table, train)[0]


class _Condition(nn.Module):
    """Fields of all conditionings.

    features: length of the embedding that is appended to a vector.
    smoothing: label smoothing.
    kernel_norm: reparametrisation of the embedding.
    """

    num_classes: int
    features: int
    smoothing: float = 0.0
    kernel_norm: Callable = plain

    def embed(self, labels: jax.Array, features: int, train: bool) -> jax.Array:
        return LabelEmbedding(self.num_classes, features, smoothing=self.smoothing, kernel_norm=self.kernel_norm)(
            labels, train
        )

    def plane(self, labels: jax.Array, x: jax.Array, train: bool) -> jax.Array:
        """A learned map per class, [B, H, W, 1], for an image x [B, H, W, C]."""
        return self.embed(labels, x.shape[1] * x.shape[2], train).reshape(*x.shape[:3], 1)


class Unconditional(_Condition):
    """Ignores the label."""

    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del labels, train
        return x


class Concat(_Condition):
    """Appends the label: to a vector, an embedding of length `features`; to an image, a learned map as one channel."""

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        label = self.embed(labels, self.features, train) if x.ndim == 2 else self.plane(labels, x, train)
        return jnp.concatenate([x, label], axis=-1)


class OneHot(_Condition):
    """Appends the one-hot label: K entries to a vector, K constant channels to an image (arXiv 1411.1784)."""

    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del train
        label = soft_one_hot(labels, self.num_classes, self.smoothing)
        label = label.reshape(x.shape[0], *(1,) * (x.ndim - 2), self.num_classes)
        return jnp.concatenate([x, jnp.broadcast_to(label, (*x.shape[:-1], self.num_classes))], axis=-1)


class Multiply(_Condition):
    """x * e(y), elementwise. An image is multiplied by a learned map per class, the same map for all channels."""

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        return x * (self.embed(labels, x.shape[-1], train) if x.ndim == 2 else self.plane(labels, x, train))


CONDITIONINGS = {"concat": Concat, "multiply": Multiply, "none": Unconditional, "one_hot": OneHot}
