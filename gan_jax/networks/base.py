"""What generators and discriminators of every family are made with, and how every discriminator ends."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax

from gan_jax.layers.weights import plain
from gan_jax.types import Critique


def upsample(x: jax.Array) -> jax.Array:
    """Nearest neighbour, [B, H, W, C] -> [B, 2H, 2W, C]."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


class BaseGenerator(nn.Module):
    """(z [B, Z], labels [B], train) -> images [B, *image_shape].

    finish: a factory for each hidden layer of what follows it; condition: of how the label enters; weight: the
    kernels' reparametrisation.
    """

    image_shape: tuple[int, int, int]
    widths: Sequence[int]
    finish: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    kernel_init: Callable
    weight: Callable = plain


class BaseDiscriminator(nn.Module):
    """(images [B, H, W, C], labels [B], train) -> Critique. noise: on the images; minibatch: before the head."""

    widths: Sequence[int]
    finish: Sequence[Callable[[], nn.Module]]
    condition: Callable[[], nn.Module]
    noise: Callable[[], nn.Module]
    minibatch: Callable[[], nn.Module]
    head: Callable[[], nn.Module]
    kernel_init: Callable
    weight: Callable = plain

    def judge(self, x: jax.Array, features: jax.Array, labels: jax.Array, train: bool) -> Critique:
        """The head's critique of the last layer x [B, F]; `features` [B, ...] are what feature matching sees."""
        critique = self.head()(self.minibatch()(x), labels, train)
        return critique._replace(features=features.reshape(len(features), -1))
