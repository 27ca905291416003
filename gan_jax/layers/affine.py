"""Gain and offset per channel, the end of every norm: learned, one for each class, or functions of a vector."""

from collections.abc import Callable

import flax.linen as nn
import jax

from gan_jax.layers.conditioning import LabelEmbedding
from gan_jax.layers.kernel_norms import Dense, plain


def around_one(stddev: float):
    """Initializer N(1, stddev)."""
    return lambda key, shape, dtype=float: 1.0 + stddev * jax.random.normal(key, shape, dtype)


def on_channels(v: jax.Array, x: jax.Array) -> jax.Array:
    """v, [C] or [B, C], in a shape that broadcasts over the positions of x."""
    batch = v.shape[0] if v.ndim == 2 else 1
    return v.reshape(batch, *(1,) * (x.ndim - 2), x.shape[-1])


class Affine(nn.Module):
    """x * gain + offset per channel, or x + offset. The gain starts as N(1, scale_stddev), the offset as 0."""

    gain: bool = True
    scale_stddev: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        if self.gain:
            x = x * on_channels(self.param("scale", around_one(self.scale_stddev), (x.shape[-1],)), x)
        offset = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        return x + on_channels(offset, x)


class ConditionalAffine(nn.Module):
    """x * gain + offset per channel, with a gain and an offset for every class (arXiv 1610.07629, eq. 5)."""

    num_classes: int
    scale_stddev: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array) -> jax.Array:
        table = lambda init, name: LabelEmbedding(self.num_classes, x.shape[-1], init, name=name)(labels, False)  # noqa: E731
        gain, offset = table(around_one(self.scale_stddev), "scale"), table(nn.initializers.zeros, "bias")
        return x * on_channels(gain, x) + on_channels(offset, x)


class ModulatedAffine(nn.Module):
    """x * gain + offset per channel, with a gain and an offset that are functions of a vector c [B, C] of each example.

    units > 0: 1 + V h + a and V' h + a' with h = max(0, U c + b) of `units` entries: self-modulation (arXiv 1810.01365,
    section 2), with one h for both and the biases a and a', as in its published code.
    units = 0: 1 + V c and V' c, the linear maps of BigGAN (arXiv 1809.11096, appendix B).
    """

    units: int
    kernel_init: Callable
    kernel_norm: Callable = plain

    @nn.compact
    def __call__(self, x: jax.Array, c: jax.Array, train: bool) -> jax.Array:
        if self.units:
            c = nn.relu(Dense(self.units, self.kernel_init, self.kernel_norm, name="hidden")(c, train))
        gain, offset = (
            Dense(x.shape[-1], self.kernel_init, self.kernel_norm, use_bias=self.units > 0, name=name)(c, train)
            for name in ("gain", "offset")
        )
        return x * on_channels(1.0 + gain, x) + on_channels(offset, x)
