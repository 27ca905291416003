"""Residual networks without norms (R3GAN, Huang et al. 2024, arXiv 2501.05441, section 3, and its published code).

They are a ResNet with bottlenecks turned inside out: grouped convolutions are wider than the blocks that they are in.
No norm keeps the outputs of the layers in range, so fix-up initialisation does (arXiv 1901.09321): with L blocks, the
first two kernels of a block start at L^(-1/4) of their usual size, and the last one at 0. A block then starts as the
identity.
"""

import math
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.layers.conv import Conv
from gan_jax.layers.initializers import scaled
from gan_jax.layers.kernel_norms import Dense
from gan_jax.layers.resampling import binomial_halve, binomial_upsample
from gan_jax.networks.base import BaseDiscriminator, BaseGenerator, WithAttention

# The second moment of leaky_relu(x) with slope 0.2, x ~ N(0, 1), is (1 + 0.2^2) / 2. This gain keeps it at 1.
_GAIN = math.sqrt(2 / (1 + 0.2**2))


class _Block(nn.Module):
    """x + 1x1(PostLayer(grouped k x k(PostLayer(1x1(x))))), with `expansion` times the channels between."""

    post_layers: tuple[Callable[[], nn.Module], Callable[[], nn.Module]]
    num_blocks: int  # of the whole network
    expansion: int
    group_channels: int
    kernel_size: int
    kernel_init: Callable
    kernel_norm: Callable

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array, train: bool) -> jax.Array:
        width = x.shape[-1] * self.expansion
        init = scaled(self.kernel_init, _GAIN * self.num_blocks**-0.25)
        first, second = self.post_layers
        y = Conv(width, 1, kernel_init=init, kernel_norm=self.kernel_norm)(x, train)
        y = Conv(
            width,
            self.kernel_size,
            groups=max(1, width // self.group_channels),
            kernel_init=init,
            kernel_norm=self.kernel_norm,
        )(first()(y, condition, train)[1], train)
        last = Conv(x.shape[-1], 1, use_bias=False, kernel_init=nn.initializers.zeros, kernel_norm=self.kernel_norm)
        return x + last(second()(y, condition, train)[1], train)


class _Stages:
    """What both networks share. A stage is `layers_per_width` blocks of one width."""

    # A kernel that starts at 0 has no direction and no largest singular value.
    allows_kernel_norms = False

    @staticmethod
    def num_hidden(num_widths: int, layers_per_width: int) -> int:
        """The number of PostLayers."""
        return 2 * num_widths * layers_per_width

    @staticmethod
    def num_doublings(num_widths: int, upsampling: str) -> int:
        """How often the side doubles."""
        return num_widths - 1

    def _linear(self, features: int) -> Conv:
        return Conv(features, 1, use_bias=False, kernel_init=self.kernel_init, kernel_norm=self.kernel_norm)

    def _stage(self, x: jax.Array, index: int, conditions: Sequence[jax.Array], train: bool) -> jax.Array:
        """The stage with this index. conditions: of the norms of every block of the network."""
        for block in range(index * self.layers_per_width, (index + 1) * self.layers_per_width):
            x = _Block(
                self.post_layers[2 * block : 2 * block + 2],
                len(self.widths) * self.layers_per_width,
                self.expansion,
                self.group_channels,
                self.kernel_size,
                self.kernel_init,
                self.kernel_norm,
                name=f"Block_{block}",
            )(x, conditions[block], train)
        return x


class Generator(_Stages, WithAttention, BaseGenerator):
    """z [B, Z] and labels [B] -> a stage per width, each of which but the first doubles the side -> images.

    The start is a learned image of side / 2^(len(widths) - 1) whose channels are weighted by a linear map of z.

    layers_per_width: blocks per width.
    expansion, group_channels: the grouped convolution of a block has `expansion` times its channels, in groups of
        `group_channels`.
    """

    layers_per_width: int = 1
    kernel_size: int = 3
    expansion: int = 2
    group_channels: int = 16

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        height, width, channels = self.image_shape
        factor = 2 ** (len(self.widths) - 1)
        z, conditions, _ = self.modulation()(z, labels, len(self.widths) * self.layers_per_width, train)
        z = self.condition()(z, labels, train)
        weights = Dense(self.widths[0], self.kernel_init, self.kernel_norm, use_bias=False)(z, train)
        basis = self.param("basis", nn.initializers.normal(1.0), (1, height // factor, width // factor, self.widths[0]))
        x = basis * weights[:, None, None]
        attend = self.attention(train)
        for index, features in enumerate(self.widths):
            if index:
                # A 1x1 convolution and the resampling commute. Before the upsampling, the convolution costs a quarter.
                x = binomial_upsample(self._linear(features)(x, train) if x.shape[-1] != features else x)
            x = attend(self._stage(x, index, conditions, train))
        attend.check("generator")
        last = Conv(channels, 1, use_bias=False, kernel_init=self.kernel_init, kernel_norm=self.output_kernel_norm)
        return self.output(last(x, train))


class Discriminator(_Stages, WithAttention, BaseDiscriminator):
    """images [B, H, W, C] and labels [B] -> a stage per width, each but the last halves the side -> output.

    DiscriminatorOutput.features are the sums of each channel over all positions, with learned weights. Fields: see
    Generator.
    """

    layers_per_width: int = 1
    kernel_size: int = 3
    expansion: int = 2
    group_channels: int = 16

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        x = self.condition()(self.preprocess(images, train), labels, train)
        x = self._linear(self.widths[0])(x, train)
        attend = self.attention(train)
        conditions = [labels] * (len(self.widths) * self.layers_per_width)
        for index, features in enumerate([*self.widths[1:], 0]):
            x = attend(self._stage(x, index, conditions, train))
            if features:
                x = binomial_halve(x)
                x = self._linear(features)(x, train) if x.shape[-1] != features else x
        attend.check("discriminator")
        # Variance 1 / positions, so that a sum over the positions keeps the size of x.
        positions = nn.initializers.normal((x.shape[1] * x.shape[2]) ** -0.5)
        x = jnp.sum(x * self.param("positions", positions, (1, *x.shape[1:])), axis=(1, 2))
        return self.apply_head(x, x, labels, train)
