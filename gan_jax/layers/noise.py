"""Noise inside a network: dropout of entries or whole channels, and additive Gaussian noise that fades."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


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
        size = int(np.prod(shape))
        pairs = jax.random.bits(self.make_rng("dropout"), ((size + 1) // 2,), jnp.uint32)
        bits = jax.lax.bitcast_convert_type(pairs, jnp.uint16).reshape(-1)[:size].reshape(shape)
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
        return x + stddev * jax.random.normal(self.make_rng("dropout"), x.shape, x.dtype)
