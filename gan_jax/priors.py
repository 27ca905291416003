"""Latent distributions: (key, shape) -> z."""

import jax


def normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """z ~ N(0, I)."""
    return jax.random.normal(key, shape)


def uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """z ~ U(-1, 1) per entry, the prior of DCGAN (arXiv 1511.06434, section 4)."""
    return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)


PRIORS = {"normal": normal, "uniform": uniform}
