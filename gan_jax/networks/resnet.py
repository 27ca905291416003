"""Residual networks for small images, as in spectral-norm GAN (Miyato et al. 2018, arXiv 1802.05957, table 4).

The layers before each convolution, the conditioning, the reparametrisation of the kernels and the head are fields
(base.py).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.layers.conv import Conv
from gan_jax.layers.kernel_norms import Dense
from gan_jax.layers.resampling import halve, upsample
from gan_jax.networks.base import BaseDiscriminator, BaseGenerator, WithAttention


class Generator(WithAttention, BaseGenerator):
    """z [B, Z] and labels [B] -> one block per width, each of which doubles the side -> images.

    A block is the sum of PostLayer - upsample - 3x3 - PostLayer - 3x3 and of the shortcut upsample - 1x1. After the
    last block, a PostLayer and a 3x3 convolution compute the image.
    """

    @staticmethod
    def num_hidden(num_widths: int, layers_per_width: int) -> int:
        """The number of PostLayers."""
        return 2 * num_widths + 1

    @staticmethod
    def num_doublings(num_widths: int, upsampling: str) -> int:
        """How often the side doubles."""
        return num_widths

    def _conv(self, features: int, kernel_size: int) -> Conv:
        return Conv(features, kernel_size, kernel_init=self.kernel_init, kernel_norm=self.kernel_norm)

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        height, width, channels = self.image_shape
        factor = 2 ** len(self.widths)
        base = (height // factor, width // factor, self.widths[0])
        z, conditions, last_condition = self.modulation()(z, labels, len(self.widths), train)
        x = self.condition()(z, labels, train)
        x = Dense(base[0] * base[1] * base[2], self.kernel_init, self.kernel_norm)(x, train).reshape(-1, *base)
        attend = self.attention(train)
        for index, features in enumerate(self.widths):
            before, between = self.post_layers[2 * index : 2 * index + 2]
            y = self._conv(features, 3)(upsample(before()(x, conditions[index], train)[1]), train)
            y = self._conv(features, 3)(between()(y, conditions[index], train)[1], train)
            # A 1x1 convolution and nearest upsampling commute. Before the upsampling, the convolution costs a quarter.
            x = attend(y + upsample(self._conv(features, 1)(x, train)))
        attend.check("generator")
        last = Conv(channels, 3, kernel_init=self.kernel_init, kernel_norm=self.output_kernel_norm)
        return self.output(last(self.post_layers[-1]()(x, last_condition, train)[1], train))


class Discriminator(WithAttention, BaseDiscriminator):
    """images [B, H, W, C] and labels [B] -> one block per width -> sum over positions -> DiscriminatorOutput.

    A block is the sum of PostLayer - 3x3 - PostLayer - 3x3 (- halve) and of a shortcut. The shortcut is 1x1 (- halve)
    if the side or the width changes, else the identity. The first `num_halvings` blocks halve the side. The first block
    has no PostLayer at its start. DiscriminatorOutput.features are the sums over all positions after a last PostLayer.
    """

    num_halvings: int = 2

    @staticmethod
    def num_hidden(num_widths: int, layers_per_width: int) -> int:
        """The number of PostLayers."""
        return 2 * num_widths

    def _conv(self, features: int, kernel_size: int) -> Conv:
        return Conv(features, kernel_size, kernel_init=self.kernel_init, kernel_norm=self.kernel_norm)

    def _block(self, x, before, between, features: int, labels, train: bool, *, halves: bool) -> jax.Array:
        pool = halve if halves else lambda image: image
        y = self._conv(features, 3)(before()(x, labels, train)[1] if before else x, train)
        y = self._conv(features, 3)(between()(y, labels, train)[1], train)
        return pool(y) + (pool(self._conv(features, 1)(x, train)) if halves or x.shape[-1] != features else x)

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        x = self.condition()(self.preprocess(images, train), labels, train)
        post_layers = [None, *self.post_layers]  # The first block starts with a convolution.
        attend = self.attention(train)
        for index, features in enumerate(self.widths):
            pair = post_layers[2 * index : 2 * index + 2]
            x = attend(self._block(x, *pair, features, labels, train, halves=index < self.num_halvings))
        attend.check("discriminator")
        features, x = (jnp.sum(image, axis=(1, 2)) for image in self.post_layers[-1]()(x, labels, train))
        return self.apply_head(x, features, labels, train)
