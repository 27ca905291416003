"""The layers of StyleGAN2's generator (arXiv 1912.04958): modulated convolutions and noise on pixels."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.layers.conv import conv
from gan_jax.layers.initializers import scaled
from gan_jax.layers.kernel_norms import Dense, plain
from gan_jax.layers.noise import standard_normal
from gan_jax.layers.products import product


class ScaledDense(nn.Module):
    """x W r + b r, [B, F] -> [B, features], with W r of the usual initial size: a layer that trains r times as fast.

    An optimizer such as Adam changes W and b by steps of one size for all layers, and the output by r times that
    (StyleGAN, arXiv 1812.04948, appendix C: r is 0.01 in the mapping network). rate: r.
    """

    features: int
    rate: float
    kernel_init: Callable = nn.initializers.lecun_normal()
    kernel_norm: Callable = plain

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        init = scaled(self.kernel_init, 1 / self.rate)
        kernel = self.rate * self.param("kernel", init, (x.shape[-1], self.features))
        y, bias_init = self.kernel_norm(self, lambda w: product(x, w), kernel, train)
        return y + self.rate * self.param("bias", scaled(bias_init, 1 / self.rate), (self.features,))[None]


class ModulatedConv(nn.Module):
    """Convolution of x [B, H, W, C] with a kernel of its own for each example, SAME padding: [B, H, W, features].

    w'_ijk = s_i w_ijk and w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + e): modulation and demodulation by the style s of
    the example (equations 1 and 3), for the input channel i, the output channel j and the position k in the kernel.
    s = 1 + A w is affine in the vector w [B, W].

    No kernel of an example is computed. A convolution is linear, so this is the same as a convolution with the shared
    kernel of the inputs times s_i, and then the outputs divided by the root (section 2.2).

    demodulate: False for the layers whose outputs are pixels.
    """

    features: int
    kernel_size: int = 3
    demodulate: bool = True
    kernel_init: Callable = nn.initializers.lecun_normal()
    kernel_norm: Callable = plain
    style_kernel_norm: Callable = plain

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, train: bool) -> jax.Array:
        channels = x.shape[-1]
        style = 1 + Dense(channels, self.kernel_init, self.style_kernel_norm, name="Style")(w, train)

        def apply(kernel: jax.Array) -> jax.Array:
            y = conv((x * style[:, None, None]).astype(kernel.dtype), kernel)
            if not self.demodulate:
                return y
            squares = jnp.sum(kernel.astype(jnp.float32) ** 2, axis=(0, 1))
            return y * jax.lax.rsqrt(style**2 @ squares + 1e-8)[:, None, None]

        shape = (self.kernel_size, self.kernel_size, channels, self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        y, bias_init = self.kernel_norm(self, apply, kernel, train)
        return y + self.param("bias", bias_init, (self.features,)).reshape(1, 1, 1, -1)


class PixelNoise(nn.Module):
    """x + s n for images [B, H, W, C]: n is one number per pixel for all channels, and s one that is learned, from 0.

    In training, n ~ N(0, 1) is new for every image and every forward pass. In inference it is one fixed map per layer
    and size, the same for all images and in all runs: an image depends on z and on the label only, and so do exported
    generators and paths between two z.

    index: chooses the fixed map.
    """

    index: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        strength = self.param("strength", nn.initializers.zeros, ())
        if train:
            return x + strength * standard_normal(self.make_rng("dropout"), (*x.shape[:3], 1))
        return x + strength * fixed_noise(self.index, *x.shape[1:3])


def fixed_noise(index: int, height: int, width: int) -> np.ndarray:
    """The noise of a layer in inference, [1, height, width, 1]."""
    return np.random.default_rng(index).standard_normal((1, height, width, 1), np.float32)
