"""Convolutional networks of Radford et al. 2015 (DCGAN, arXiv 1511.06434): all convolutional, no pooling.

What follows a layer, how labels enter and the head are handed in.
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.conv import Conv
from gan_jax.types import Critique


def _upsample(x: jax.Array) -> jax.Array:
    """Nearest neighbour, [B, H, W, C] -> [B, 2H, 2W, C]."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def num_doublings(num_widths: int, upsampling: str) -> int:
    """How often a generator of so many widths doubles its side."""
    return UPSAMPLINGS[upsampling or "transposed"](num_widths)


# upsampling -> doublings of a generator with so many widths
UPSAMPLINGS = {"transposed": lambda num_widths: num_widths, "nearest": lambda num_widths: num_widths - 1}


class Generator(nn.Module):
    """z [B, Z] and labels [B] -> tanh images [B, *image_shape]; the widths are channels, from the smallest side up.

    A dense layer makes the first of them. upsampling="transposed" (the paper): a stride-2 transposed convolution
    doubles the side for each further width and for the image, from side / 2^len(widths). "nearest": nearest-neighbour
    upsampling and a convolution for each further width, then a convolution at full size makes the image.
    """

    image_shape: tuple[int, int, int]
    widths: Sequence[int]
    finish: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    kernel_init: Callable
    kernel_size: int = 4
    upsampling: str = "transposed"

    def _convolve(self, x: jax.Array, features: int, *, double: bool) -> jax.Array:
        if self.upsampling == "transposed":
            return Conv(features, self.kernel_size, stride=2, transposed=True, kernel_init=self.kernel_init)(x)
        return Conv(features, self.kernel_size, kernel_init=self.kernel_init)(_upsample(x) if double else x)

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        height, width, channels = self.image_shape
        factor = 2 ** num_doublings(len(self.widths), self.upsampling)
        base = (height // factor, width // factor, self.widths[0])
        x = self.condition()(z, labels)
        x = nn.Dense(base[0] * base[1] * base[2], kernel_init=self.kernel_init)(x).reshape(-1, *base)
        x = self.finish[0]()(x, labels, train)
        for features, finish in zip(self.widths[1:], self.finish[1:], strict=True):
            x = finish()(self._convolve(x, features, double=True), labels, train)
        return jnp.tanh(self._convolve(x, channels, double=False))


class Discriminator(nn.Module):
    """images [B, H, W, C] and labels [B] -> stride-2 convolutions of `widths` -> flattened -> Critique."""

    widths: Sequence[int]
    finish: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    head: Callable[[], nn.Module]
    kernel_init: Callable
    kernel_size: int = 4

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool) -> Critique:
        x = self.condition()(images, labels)
        for features, finish in zip(self.widths, self.finish, strict=True):
            x = Conv(features, self.kernel_size, stride=2, kernel_init=self.kernel_init)(x)
            x = finish()(x, labels, train)
        return self.head()(x.reshape(len(x), -1), labels)
