"""Noise inside a network: dropout of entries or of channels, and additive Gaussian noise that can fade."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri


def _sixteen_bits(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform uint16. They cost half as much as floats of `jax.random`, each of which needs a uint32."""
    size = int(np.prod(shape))
    pairs = jax.random.bits(key, ((size + 1) // 2,), jnp.uint32)
    return jax.lax.bitcast_convert_type(pairs, jnp.uint16).reshape(-1)[:size].reshape(shape)


def quantile(bits: jax.Array) -> jax.Array:
    """The standard normal's quantile at (bits + 1/2) / 65536, float32; bits: uint16."""
    return ndtri((bits.astype(jnp.float32) + 0.5) / 65536)


def quantile_from_table(bits: jax.Array) -> jax.Array:
    """The same, from a table."""
    with jax.ensure_compile_time_eval():
        table = quantile(jnp.arange(65536, dtype=jnp.uint16))
    return table[bits]


def standard_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws of 65,536 equally likely values that approximate N(0, 1), float32: within +-4.33, variance 0.99998.

    For noise, which does not need finer steps; they would cost time. On a CPU, a table of quantiles is faster than
    their computation. On accelerators, the computation is faster.
    """
    return jax.lax.platform_dependent(_sixteen_bits(key, shape), cpu=quantile_from_table, default=quantile)


class Dropout(nn.Module):
    """In training, sets entries to 0 with probability `rate` and scales the others by 1 / (1 - rate).

    Srivastava et al. 2014. channels: sets complete channels of [B, H, W, C] to 0 (arXiv 1411.4280). The mask uses 16
    random bits per entry, half as many as a float needs, so the rate is accurate to 1 / 131072.
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
    """In training, x + s n with n ~ N(0, I). s decreases linearly from `stddev` to 0 over `fade_updates` updates.

    On the input of a discriminator, this is instance noise (arXiv 1610.04490). fade_updates=0: s is constant. The
    number of updates is in the collection `noise`, which is updated as batch statistics are.
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
