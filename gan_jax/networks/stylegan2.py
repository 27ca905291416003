"""Style-based networks (StyleGAN2, Karras et al. 2020, arXiv 1912.04958, configuration E), for small images.

G: z -> mapping network -> w, a vector that sets the style of every convolution. The first input is a learned constant.
At each size, a layer makes an image from the features, and the images of all sizes are summed ("skip" generator).
D: residual blocks ("residual" discriminator).
Resampling has the binomial filter. Every hidden layer ends with PostLayer * sqrt(2), which keeps the second moment of a
leaky ReLU's output near 1; with kernel_norm=equalised and kernels N(0, 1), these are the networks of the paper.

Differences from the paper: the minibatch layer is behind the last hidden layer and not before the last convolution, and
there is no mixing of two styles, no regularisation of path lengths and no truncation.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.layers.conv import Conv
from gan_jax.layers.kernel_norms import Dense
from gan_jax.layers.modulated_conv import ModulatedConv, PixelNoise, ScaledDense
from gan_jax.layers.resampling import binomial_halve, binomial_upsample
from gan_jax.networks.base import BaseDiscriminator, BaseGenerator, WithAttention

_GAIN = math.sqrt(2)
_MAPPING_RATE = 0.01


class Generator(WithAttention, BaseGenerator):
    """z [B, Z] and labels [B] -> images [B, *image_shape], whose side is doubled for every width but the first.

    The first size has one modulated convolution, each further one two: the first of them after the upsampling. The
    label is appended to z (or multiplied with it) before both are normalised together; w has the length of z.

    mapping_layers: dense layers of the mapping network. Each is followed by a leaky ReLU of slope 0.2, and trains 0.01
        times as fast as other layers.
    """

    mapping_layers: int = 2

    @staticmethod
    def num_hidden(num_widths: int, layers_per_width: int) -> int:
        """The number of modulated convolutions that a PostLayer follows."""
        return 2 * num_widths - 1

    @staticmethod
    def num_doublings(num_widths: int, upsampling: str) -> int:
        """How often the side doubles."""
        return num_widths - 1

    def _map(self, z: jax.Array, features: int, train: bool) -> jax.Array:
        """w [B, features], of z with the second moment 1."""
        w = z * jax.lax.rsqrt(jnp.mean(z**2, axis=1, keepdims=True) + 1e-8)
        for index in range(self.mapping_layers):
            layer = ScaledDense(features, _MAPPING_RATE, self.kernel_init, self.kernel_norm, name=f"Mapping_{index}")
            w = _GAIN * nn.leaky_relu(layer(w, train), 0.2)
        return w

    def _to_image(self, x: jax.Array, w: jax.Array, index: int, train: bool) -> jax.Array:
        return ModulatedConv(
            self.image_shape[-1],
            1,
            demodulate=False,
            kernel_init=self.kernel_init,
            kernel_norm=self.output_kernel_norm if index == len(self.widths) - 1 else self.kernel_norm,
            style_kernel_norm=self.kernel_norm,
            name=f"ToImage_{index}",
        )(x, w, train)

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        height, width, _ = self.image_shape
        factor = 2 ** (len(self.widths) - 1)
        z, conditions, _ = self.modulation()(z, labels, len(self.post_layers), train)
        w = self._map(self.condition()(z, labels, train), z.shape[-1], train)
        x = self.param("constant", nn.initializers.normal(1.0), (1, height // factor, width // factor, self.widths[0]))
        image, attend = None, self.attention(train)
        for index, (post_layer, condition) in enumerate(zip(self.post_layers, conditions, strict=True)):
            is_first, size = index % 2 == 1, (index + 1) // 2
            x = ModulatedConv(
                self.widths[size],
                kernel_init=self.kernel_init,
                kernel_norm=self.kernel_norm,
                style_kernel_norm=self.kernel_norm,
                name=f"Conv_{index}",
            )(binomial_upsample(x) if is_first else x, w, train)
            x = PixelNoise(index, name=f"Noise_{index}")(x, train)
            x = attend(_GAIN * post_layer()(x, condition, train)[1])
            if not is_first:
                new = self._to_image(x, w, size, train)
                image = new if image is None else binomial_upsample(image) + new
        attend.check("generator")
        return self.output(image)


class Discriminator(WithAttention, BaseDiscriminator):
    """images [B, H, W, C] and labels [B] -> 1x1 convolution -> residual blocks -> 3x3 convolution -> dense -> output.

    A block is (halve(conv(conv(x))) + 1x1(halve(x))) / sqrt(2) with a PostLayer after each 3x3 convolution. There is
    one for every width but the first. DiscriminatorOutput.features are the outputs of the dense layer.
    """

    @staticmethod
    def num_hidden(num_widths: int, layers_per_width: int) -> int:
        """The number of PostLayers."""
        return 2 * num_widths + 1

    @nn.compact
    def __call__(self, images: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        layers = {"kernel_init": self.kernel_init, "kernel_norm": self.kernel_norm}
        post_layers = iter(self.post_layers)

        def finish(x: jax.Array) -> jax.Array:
            return _GAIN * next(post_layers)()(x, labels, train)[1]

        attend = self.attention(train)
        x = self.condition()(self.preprocess(images, train), labels, train)
        x = attend(finish(Conv(self.widths[0], 1, **layers)(x, train)))
        for features in self.widths[1:]:
            shortcut = Conv(features, 1, use_bias=False, **layers)(binomial_halve(x), train)
            x = finish(Conv(x.shape[-1], 3, **layers)(x, train))
            x = finish(binomial_halve(Conv(features, 3, **layers)(x, train)))
            x = attend((x + shortcut) * math.sqrt(0.5))
        attend.check("discriminator")
        x = finish(Conv(self.widths[-1], 3, **layers)(x, train))
        x = Dense(self.widths[-1], **layers)(x.reshape(len(x), -1), train)
        features, x = (_GAIN * y for y in next(post_layers)()(x, labels, train))
        return self.apply_head(x, features, labels, train)
