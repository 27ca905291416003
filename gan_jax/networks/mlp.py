"""Fully connected networks. What follows a layer, how labels enter and the head are handed in."""

import math
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.weights import Dense, plain
from gan_jax.types import Critique


class Generator(nn.Module):
    """z [B, Z] and labels [B] -> hidden layers of `widths`, `layers_per_width` of each -> images [B, *image_shape]."""

    image_shape: tuple[int, int, int]
    widths: Sequence[int]
    finish: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    kernel_init: Callable
    weight: Callable = plain
    layers_per_width: int = 1

    @staticmethod
    def num_hidden(num_widths: int, layers_per_width: int) -> int:
        """How many layers have a `finish`."""
        return num_widths * layers_per_width

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        x = self.condition()(z, labels, train)
        for index, finish in enumerate(self.finish):
            width = self.widths[index // self.layers_per_width]
            x = finish()(Dense(width, self.kernel_init, self.weight)(x, train), labels, train)
        x = Dense(math.prod(self.image_shape), self.kernel_init, self.weight)(x, train)
        return jnp.tanh(x).reshape(-1, *self.image_shape)


class Discriminator(nn.Module):
    """images [B, H, W, C] and labels [B] -> flattened -> hidden layers of `widths` -> Critique.

    Critique.features are the outputs of the hidden layer `feature_layer`; -1 is the last.
    """

    widths: Sequence[int]
    finish: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    noise: Callable[[], nn.Module]
    minibatch: Callable[[], nn.Module]
    head: Callable[[], nn.Module]
    kernel_init: Callable
    weight: Callable = plain
    layers_per_width: int = 1
    feature_layer: int = -1

    num_hidden = Generator.num_hidden

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool) -> Critique:
        x = self.condition()(self.noise()(images, train).reshape(len(images), -1), labels, train)
        hidden = []
        for index, finish in enumerate(self.finish):
            width = self.widths[index // self.layers_per_width]
            x = finish()(Dense(width, self.kernel_init, self.weight)(x, train), labels, train)
            hidden.append(x)
        critique = self.head()(self.minibatch()(x), labels, train)
        return critique._replace(features=hidden[self.feature_layer])
