"""Layers that let a discriminator see a whole batch at once, so that it can tell a collapsed generator by its sameness.

(features [B, F]) -> features [B, F + more]. With `reference_size`, that many first rows are the reference batch of
virtual batch norm and are kept apart: neither group sees the other.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp


def _groups(x: jax.Array, reference_size: int) -> list[jax.Array]:
    return [x[:reference_size], x[reference_size:]] if reference_size else [x]


class NoMinibatch(nn.Module):
    """Every image is judged alone."""

    def __call__(self, features: jax.Array) -> jax.Array:
        return features


class MinibatchDiscrimination(nn.Module):
    """Minibatch discrimination (Salimans et al. 2016, arXiv 1606.03498, section 3.2).

    M_i = f(x_i) T, `kernels` rows of `dimension`; o(x_i)_b = sum_j exp(-|| M_ib - M_jb ||_1) over the batch, x_i itself
    included; the kernels' o(x_i) are appended to f(x_i). Memory grows with B^2 * kernels * dimension.
    """

    kernels: int = 100
    dimension: int = 5
    reference_size: int = 0
    kernel_init: Callable = nn.initializers.normal(0.05)

    @nn.compact
    def __call__(self, features: jax.Array) -> jax.Array:
        tensor = self.param("kernel", self.kernel_init, (features.shape[-1], self.kernels * self.dimension))

        def closeness(group):
            rows = (group @ tensor).reshape(-1, self.kernels, self.dimension)
            distances = jnp.sum(jnp.abs(rows[:, None] - rows[None]), axis=-1)  # [B, B, kernels]
            return jnp.sum(jnp.exp(-distances), axis=1)

        seen = jnp.concatenate([closeness(group) for group in _groups(features, self.reference_size)])
        return jnp.concatenate([features, seen], axis=-1)


class MinibatchStddev(nn.Module):
    """Minibatch standard deviation (Karras et al. 2017, arXiv 1710.10196, section 3).

    The standard deviation of each feature over the batch, averaged over the features, appended as one more feature.
    """

    reference_size: int = 0

    def __call__(self, features: jax.Array) -> jax.Array:
        def spread(group):
            # The root has no gradient at 0, where all images of a batch are the same.
            return jnp.full((len(group), 1), jnp.mean(jnp.sqrt(jnp.var(group, axis=0) + 1e-8)))

        seen = jnp.concatenate([spread(group) for group in _groups(features, self.reference_size)])
        return jnp.concatenate([features, seen], axis=-1)


MINIBATCH = {"none": NoMinibatch, "discrimination": MinibatchDiscrimination, "stddev": MinibatchStddev}
