"""Noise inside a network: dropout of entries or whole channels, and additive Gaussian noise that fades."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri


def _sixteen_bits(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform uint16, at half the price of the uint32 that every float of `jax.random` takes."""
    size = int(np.prod(shape))
    pairs = jax.random.bits(key, ((size + 1) // 2,), jnp.uint32)
    return jax.lax.bitcast_convert_type(pairs, jnp.uint16).reshape(-1)[:size].reshape(shape)


def quantile(bits: jax.Array) -> jax.Array:
    """The standard normal's quantile at (bits + 1/2) / 65536, float32; bits: uint16."""
    return ndtri((bits.astype(jnp.float32) + 0.5) / 65536)


def quantile_from_table(bits: jax.Array) -> jax.Array:
    """The same, looked up."""
    with jax.ensure_compile_time_eval():
        table = quantile(jnp.arange(65536, dtype=jnp.uint16))
    return table[bits]


def standard_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws from N(0, 1) in 65,536 equally likely steps, float32: within +-4.33, of variance 0.99998.

    For noise, where finer steps would cost time and change nothing. On a CPU looking quantiles up is faster than
    computing them; accelerators compute faster than they look up.
    """
    return jax.lax.platform_dependent(_sixteen_bits(key, shape), cpu=quantile_from_table, default=quantile)


class Dropout(nn.Module):
    """Zeroes a share `rate` of the entries in training and scales the rest by 1 / (1 - rate) (Srivastava et al. 2014).

    With `channels`, whole channels of [B, H, W, C] at a time (arXiv 1411.4280). The mask takes 16 random bits an entry,
    half of what a float takes, so the rate is met to within 1 / 131072.
    """

    rate: float
    channels: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if not train or self.rate == 0:
            return x
        shape = (x.shape[0], 1, 1, x.shape[-1]) if self.channels and x.ndim == 4 else x.shape
        bits = _sixteen_bits(self.make_rng("dropout"), shape)
        return jnp.where(bits >= np.uint16(round(self.rate * 65536)), x / (1 - self.rate), 0.0)


class GaussianNoise(nn.Module):
    """x + s n with n ~ N(0, I) in training; s falls from `stddev` to 0 in a straight line over `fade_updates` updates.

    On a discriminator's input this is instance noise (arXiv 1610.04490). fade_updates=0: it does not fade. The number
    of updates is counted in the collection `noise`, which advances as batch statistics do.
    """

    stddev: float
    fade_updates: int = 0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if not train or self.stddev == 0:
            return x
        stddev = jnp.float32(self.stddev)
        if self.fade_updates:
            count = self.variable("noise", "count", jnp.zeros, (), jnp.int32)
            stddev = stddev * jnp.maximum(1.0 - count.value / self.fade_updates, 0.0)
            if not self.is_initializing() and self.is_mutable_collection("noise"):
                count.value = count.value + 1
        return x + stddev * standard_normal(self.make_rng("dropout"), x.shape)
