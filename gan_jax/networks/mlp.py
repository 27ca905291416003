"""Fully connected networks. The layers after each linear map, the conditioning and the head are fields (base.py)."""

import math

import flax.linen as nn
import jax

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.layers.kernel_norms import Dense
from gan_jax.networks.base import BaseDiscriminator, BaseGenerator


class Generator(BaseGenerator):
    """z [B, Z] and labels [B] -> hidden layers of `widths`, `layers_per_width` of each -> images [B, *image_shape]."""

    layers_per_width: int = 1

    @staticmethod
    def num_hidden(num_widths: int, layers_per_width: int) -> int:
        """The number of layers that a PostLayer follows."""
        return num_widths * layers_per_width

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        z, conditions, _ = self.modulation()(z, labels, len(self.post_layers), train)
        x = self.condition()(z, labels, train)
        for index, post_layer in enumerate(self.post_layers):
            width = self.widths[index // self.layers_per_width]
            x = Dense(width, self.kernel_init, self.kernel_norm)(x, train)
            _, x = post_layer()(x, conditions[index], train)
        x = Dense(math.prod(self.image_shape), self.kernel_init, self.output_kernel_norm)(x, train)
        return self.output(x).reshape(-1, *self.image_shape)


class Discriminator(BaseDiscriminator):
    """images [B, H, W, C] and labels [B] -> flattened -> hidden layers of `widths` -> DiscriminatorOutput.

    feature_layer: the hidden layer whose outputs, without noise, are DiscriminatorOutput.features; -1: the last.
    """

    layers_per_width: int = 1
    feature_layer: int = -1

    num_hidden = Generator.num_hidden

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        x = self.condition()(self.preprocess(images, train).reshape(len(images), -1), labels, train)
        hidden = []
        for index, post_layer in enumerate(self.post_layers):
            width = self.widths[index // self.layers_per_width]
            output, x = post_layer()(Dense(width, self.kernel_init, self.kernel_norm)(x, train), labels, train)
            hidden.append(output)
        return self.apply_head(x, hidden[self.feature_layer], labels, train)
