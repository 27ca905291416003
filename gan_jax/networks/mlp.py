"""Fully connected networks. What follows a layer, how labels enter and the head are handed in."""

import math
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.types import Critique


class Generator(nn.Module):
    """z [B, Z] and labels [B] -> hidden layers of `widths` -> tanh images [B, *image_shape]."""

    image_shape: tuple[int, int, int]
    widths: Sequence[int]
    finish: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    kernel_init: Callable

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        x = self.condition()(z, labels)
        for width, finish in zip(self.widths, self.finish, strict=True):
            x = finish()(nn.Dense(width, kernel_init=self.kernel_init)(x), labels, train)
        x = nn.Dense(math.prod(self.image_shape), kernel_init=self.kernel_init)(x)
        return jnp.tanh(x).reshape(-1, *self.image_shape)


class Discriminator(nn.Module):
    """images [B, H, W, C] and labels [B] -> flattened -> hidden layers of `widths` -> Critique."""

    widths: Sequence[int]
    finish: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    head: Callable[[], nn.Module]
    kernel_init: Callable

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool) -> Critique:
        x = self.condition()(images.reshape(len(images), -1), labels)
        for width, finish in zip(self.widths, self.finish, strict=True):
            x = finish()(nn.Dense(width, kernel_init=self.kernel_init)(x), labels, train)
        return self.head()(x, labels)
