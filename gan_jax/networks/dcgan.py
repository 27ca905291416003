"""Convolutional networks of Radford et al. 2015 (DCGAN, arXiv 1511.06434): all convolutional, no pooling.

The layers after each linear map, the conditioning and the head are fields (base.py).
"""

from collections.abc import Callable

import flax.linen as nn
import jax

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.layers.conv import Conv
from gan_jax.layers.kernel_norms import Dense
from gan_jax.layers.resampling import upsample
from gan_jax.networks.base import BaseDiscriminator, BaseGenerator, WithAttention

# upsampling -> (number of widths) -> how often the generator doubles its side
UPSAMPLINGS = {"transposed": lambda num_widths: num_widths, "nearest": lambda num_widths: num_widths - 1}


class Generator(WithAttention, BaseGenerator):
    """z [B, Z] and labels [B] -> images [B, *image_shape].

    widths: numbers of channels, from the smallest side to the largest. A dense layer computes the first of them.
    upsampling: "transposed" (the paper): a stride-2 transposed convolution doubles the side for each further width and
        for the image, starting at side / 2^len(widths). "nearest": nearest-neighbour upsampling and a convolution for
        each further width, then a convolution at full size for the image.
    layers_per_width: above 1, adds stride-1 3x3 convolutions after the first layer of each width.
    """

    layers_per_width: int = 1
    kernel_size: int = 4
    upsampling: str = "transposed"

    @staticmethod
    def num_hidden(num_widths: int, layers_per_width: int) -> int:
        """The number of layers that a PostLayer follows."""
        return num_widths * layers_per_width

    @staticmethod
    def num_doublings(num_widths: int, upsampling: str) -> int:
        """How often the side doubles."""
        return UPSAMPLINGS[upsampling or "transposed"](num_widths)

    def _convolve(self, x: jax.Array, features: int, kernel_norm: Callable, train: bool, *, double: bool) -> jax.Array:
        transposed = self.upsampling == "transposed"
        conv = Conv(
            features,
            self.kernel_size,
            stride=2 if transposed else 1,
            transposed=transposed,
            kernel_init=self.kernel_init,
            kernel_norm=kernel_norm,
        )
        return conv(upsample(x) if double and not transposed else x, train)

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        height, width, channels = self.image_shape
        factor = 2 ** self.num_doublings(len(self.widths), self.upsampling)
        base = (height // factor, width // factor, self.widths[0])
        z, conditions, _ = self.modulation()(z, labels, len(self.post_layers), train)
        x = self.condition()(z, labels, train)
        x = Dense(base[0] * base[1] * base[2], self.kernel_init, self.kernel_norm)(x, train).reshape(-1, *base)
        attend = self.attention(train)
        x = attend(self.post_layers[0]()(x, conditions[0], train)[1])
        for index, post_layer in enumerate(self.post_layers[1:], 1):
            features = self.widths[index // self.layers_per_width]
            if index % self.layers_per_width:
                x = Conv(features, 3, kernel_init=self.kernel_init, kernel_norm=self.kernel_norm)(x, train)
            else:
                x = self._convolve(x, features, self.kernel_norm, train, double=True)
            x = attend(post_layer()(x, conditions[index], train)[1])
        attend.check("generator")
        return self.output(self._convolve(x, channels, self.output_kernel_norm, train, double=False))


class Discriminator(WithAttention, BaseDiscriminator):
    """images [B, H, W, C] and labels [B] -> stride-2 convolutions of `widths` -> flattened -> DiscriminatorOutput.

    layers_per_width: above 1, adds stride-1 3x3 convolutions of the same width before each of them.
    feature_layer: the hidden layer whose flattened outputs, without noise, are DiscriminatorOutput.features; -1: the
        last.
    """

    layers_per_width: int = 1
    feature_layer: int = -1
    kernel_size: int = 4

    num_hidden = Generator.num_hidden

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        x, hidden = self.condition()(self.preprocess(images, train), labels, train), []
        attend = self.attention(train)
        for index, post_layer in enumerate(self.post_layers):
            halves = (index + 1) % self.layers_per_width == 0
            x = Conv(
                self.widths[index // self.layers_per_width],
                self.kernel_size if halves else 3,
                stride=2 if halves else 1,
                kernel_init=self.kernel_init,
                kernel_norm=self.kernel_norm,
            )(x, train)
            output, x = post_layer()(x, labels, train)
            hidden.append(output)
            x = attend(x)
        attend.check("discriminator")
        return self.apply_head(x.reshape(len(x), -1), hidden[self.feature_layer], labels, train)
