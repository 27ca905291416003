"""The fields that the networks of all families have, and the first and last layers of every discriminator."""

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.layers.attention import AttentionAtSides, SelfAttention
from gan_jax.layers.kernel_norms import plain
from gan_jax.layers.modulation import LabelConditions


class BaseGenerator(nn.Module):
    """(z [B, Z], labels [B], train) -> images [B, *image_shape].

    post_layers: one factory of a PostLayer per hidden layer.
    condition: factory of the conditioning of the input on the label.
    kernel_norm, output_kernel_norm: reparametrisations of the hidden kernels and of the last kernel.
    output: from the last layer to pixels in [-1, 1].
    modulation: factory of what the norms of the hidden layers depend on (layers/modulation.py).
    allows_kernel_norms: whether the kernels of hidden layers can be reparametrised.
    """

    allows_kernel_norms = True

    image_shape: tuple[int, int, int]
    widths: Sequence[int]
    post_layers: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    kernel_init: Callable
    kernel_norm: Callable = plain
    output_kernel_norm: Callable = plain
    output: Callable[[jax.Array], jax.Array] = jnp.tanh
    modulation: Callable[[], nn.Module] = LabelConditions

    @staticmethod
    def num_hidden(num_widths: int, layers_per_width: int) -> int:
        """The number of hidden layers, each of which a PostLayer follows; discriminators have the same method."""
        raise NotImplementedError

    @staticmethod
    def num_doublings(num_widths: int, upsampling: str) -> int:
        """How often the network doubles the side of its images; 0 for a fully connected one."""
        return 0


def stretched_sigmoid(x: jax.Array) -> jax.Array:
    """2 sigmoid(x) - 1 = tanh(x / 2): a sigmoid, whose range (0, 1) is stretched to (-1, 1)."""
    return jnp.tanh(x / 2)


OUTPUTS = {"tanh": jnp.tanh, "sigmoid": stretched_sigmoid, "linear": lambda x: x}
# name -> map from pixels in [-1, 1] to the input of D's first layer
PIXELS = {"signed": lambda images: images, "unit": lambda images: (images + 1) / 2}


class BaseDiscriminator(nn.Module):
    """(images [B, H, W, C], labels [B], train) -> DiscriminatorOutput.

    pixels: from images in [-1, 1] to the input of D.
    noise: factory of the noise on this input.
    minibatch: factory of the minibatch layer before the head.
    The other fields are those of BaseGenerator.
    """

    allows_kernel_norms = True

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
        """D's output from the last hidden layer x [B, F]. features: [B, ...], for the feature-matching loss."""
        output = self.head()(self.minibatch()(x), labels, train)
        return output._replace(features=features.reshape(len(features), -1))


class WithAttention(nn.Module):
    """Mixin for networks over images.

    attention_sides: heights in pixels of the images after which a self-attention layer follows.
    """

    attention_sides: tuple[int, ...] = ()

    def attention(self, train: bool) -> AttentionAtSides:
        """The attention layers of a forward pass."""
        layer = functools.partial(SelfAttention, self.kernel_init, self.kernel_norm)
        return AttentionAtSides(layer, self.attention_sides, train)
