"""Layers that compare the images of a batch, so that the discriminator detects a generator whose images are all alike.

(features [B, F]) -> features [B, F + more]. The first `reference_size` rows are the reference batch of virtual batch
norm. They are compared only with each other, and so are the other rows.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp


def _groups(x: jax.Array, reference_size: int) -> list[jax.Array]:
    return [x[:reference_size], x[reference_size:]] if reference_size else [x]


class NoMinibatch(nn.Module):
    """No layer: images are not compared."""

    def __call__(self, features: jax.Array) -> jax.Array:
        return features


def _similarities(rows: jax.Array) -> jax.Array:
    """c_ij = exp(-|| M_i - M_j ||_1) of each kernel, [B, B, kernels]; rows: M, [dimension, B, kernels]."""
    return jnp.exp(-sum(jnp.abs(row[:, None] - row[None]) for row in rows))


@jax.custom_vjp
def closeness(rows: jax.Array) -> jax.Array:
    """o_i = sum_j c_ij of each kernel, [B, kernels]; rows: M, [dimension, B, kernels].

    From the gradients g_i of o_i, the gradient is dM_i = sum_j (g_i + g_j) c_ij sign(M_j - M_i). It is written out
    below, because automatic differentiation takes seven times as long on a CPU, and its gradient for equal images is
    not 0.
    """
    return jnp.sum(_similarities(rows), axis=1)


def _closeness_forward(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    return closeness(rows), rows


def _closeness_backward(rows: jax.Array, g: jax.Array) -> tuple[jax.Array]:
    pull = (g[:, None] + g[None]) * _similarities(rows)

    def gradient(row):
        """dM of one dimension, [B, kernels]. sign(0) is 0, as in PyTorch: equal images have no gradient."""
        smaller, larger = row[:, None] < row[None], row[:, None] > row[None]
        return jnp.sum(jnp.where(smaller, pull, jnp.where(larger, -pull, 0.0)), axis=1)

    return (jnp.stack([gradient(row) for row in rows]),)


closeness.defvjp(_closeness_forward, _closeness_backward)


class MinibatchDiscrimination(nn.Module):
    """Minibatch discrimination (Salimans et al. 2016, arXiv 1606.03498, section 3.2).

    M_i = f(x_i) T has `kernels` rows of length `dimension`. o(x_i)_b = sum_j exp(-|| M_ib - M_jb ||_1) over the batch,
    including x_i itself. The o(x_i)_b of all kernels are appended to f(x_i). Memory grows with B^2 * kernels.
    """

    kernels: int = 100
    dimension: int = 5
    reference_size: int = 0
    kernel_init: Callable = nn.initializers.normal(0.05)

    @nn.compact
    def __call__(self, features: jax.Array) -> jax.Array:
        tensor = self.param("kernel", self.kernel_init, (features.shape[-1], self.kernels * self.dimension))

        def statistics(group):
            rows = (group @ tensor).reshape(-1, self.kernels, self.dimension)
            return closeness(jnp.moveaxis(rows, -1, 0))

        appended = jnp.concatenate([statistics(group) for group in _groups(features, self.reference_size)])
        return jnp.concatenate([features, appended], axis=-1)


class MinibatchStddev(nn.Module):
    """Minibatch standard deviation (Karras et al. 2017, arXiv 1710.10196, section 3).

    The standard deviation of each feature over the batch, averaged over the features, appended as one more feature.
    """

    reference_size: int = 0

    def __call__(self, features: jax.Array) -> jax.Array:
        def mean_stddev(group):
            # The root has no gradient at 0, its argument if all images of a batch are the same.
            return jnp.full((len(group), 1), jnp.mean(jnp.sqrt(jnp.var(group, axis=0) + 1e-8)))

        appended = jnp.concatenate([mean_stddev(group) for group in _groups(features, self.reference_size)])
        return jnp.concatenate([features, appended], axis=-1)


MINIBATCH = {"none": NoMinibatch, "discrimination": MinibatchDiscrimination, "stddev": MinibatchStddev}
