"""The fields that networks of every family have, and the first and last layers of every discriminator."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.layers.kernel_norms import plain


class BaseGenerator(nn.Module):
    """(z [B, Z], labels [B], train) -> images [B, *image_shape].

    post_layers: a factory of each hidden layer's PostLayer; condition: of how the label enters; kernel_norm and
    output_kernel_norm: reparametrisations of the kernels and of the last one; output: from the last layer to pixels.
    """

    image_shape: tuple[int, int, int]
    widths: Sequence[int]
    post_layers: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    kernel_init: Callable
    kernel_norm: Callable = plain
    output_kernel_norm: Callable = plain
    output: Callable[[jax.Array], jax.Array] = jnp.tanh


def stretched_sigmoid(x: jax.Array) -> jax.Array:
    """2 sigmoid(x) - 1 = tanh(x / 2): what a sigmoid gives for pixels in [0, 1], for those in [-1, 1]."""
    return jnp.tanh(x / 2)


OUTPUTS = {"tanh": jnp.tanh, "sigmoid": stretched_sigmoid}
# How D sees pixels: from [-1, 1] to what enters its first layer.
PIXELS = {"signed": lambda images: images, "unit": lambda images: (images + 1) / 2}


class BaseDiscriminator(nn.Module):
    """(images [B, H, W, C], labels [B], train) -> DiscriminatorOutput.

    pixels: from [-1, 1] to what D sees; noise: on that; minibatch: before the head.
    """

    widths: Sequence[int]
    post_layers: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    noise: Callable[[], nn.Module]
    minibatch: Callable[[], nn.Module]
    head: Callable[[], nn.Module]
    kernel_init: Callable
    kernel_norm: Callable = plain
    pixels: Callable[[jax.Array], jax.Array] = PIXELS["signed"]

    def preprocess(self, images: jax.Array, train: bool) -> jax.Array:
        """The input of the first layer, from images [B, H, W, C]."""
        return self.noise()(self.pixels(images), train)

    def apply_head(self, x: jax.Array, features: jax.Array, labels: jax.Array, train: bool) -> DiscriminatorOutput:
        """The output for the last hidden layer x [B, F]; `features` [B, ...] are those of feature matching."""
        output = self.head()(self.minibatch()(x), labels, train)
        return output._replace(features=features.reshape(len(features), -1))
