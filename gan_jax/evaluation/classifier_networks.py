"""The networks of the scoring classifier: images [B, H, W, C] -> (logits [B, K], features [B, F])."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.evaluation.recipes import Recipe, ResidualRecipe
from gan_jax.layers.conv import Conv

_HE = nn.initializers.he_normal()


class StridedNetwork(nn.Module):
    """Convolutions of stride 2, then a hidden layer, whose outputs are the features."""

    recipe: Recipe
    num_classes: int

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> tuple[jax.Array, jax.Array]:
        x = images
        for width, kernel in zip(self.recipe.widths, self.recipe.kernels, strict=True):
            x = Conv(width, kernel, stride=2, use_bias=False, kernel_init=_HE)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.95)(x))
        features = nn.relu(nn.Dense(self.recipe.num_features)(x.reshape(len(x), -1)))
        dropped = nn.Dropout(self.recipe.dropout, deterministic=not train)(features)
        return nn.Dense(self.num_classes)(dropped), features


class ResidualNetwork(nn.Module):
    """A stem, then stages of half the side: a convolution, the maximum of 2 x 2 pixels, and a residual convolution.

    The features are the means of the last stage over its pixels.
    """

    recipe: ResidualRecipe
    num_classes: int

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> tuple[jax.Array, jax.Array]:
        def normalized(x):
            return nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.95)(x))

        def conv(x, width, kernel, stride=1):
            return Conv(width, kernel, stride, use_bias=False, kernel_init=_HE)(x)

        stem, *stages = zip(self.recipe.widths, self.recipe.kernels, strict=True)
        x = normalized(conv(images, *stem, self.recipe.stem_stride))
        for width, kernel in stages:
            x = normalized(_halved(conv(x, width, kernel)))
            x = x + normalized(conv(x, width, kernel))
        features = x.mean((1, 2))
        dropped = nn.Dropout(self.recipe.dropout, deterministic=not train)(features)
        return nn.Dense(self.num_classes)(dropped), features


def _halved(x: jax.Array) -> jax.Array:
    """Maxima of 2 x 2 pixels; an odd side is padded with its last pixels.

    The gradient of XLA's own pooling is slow on the CPU.
    """
    height, width = x.shape[1:3]
    x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rows = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])


def network(recipe: Recipe, num_classes: int) -> nn.Module:
    """The network of a recipe."""
    kind = ResidualNetwork if isinstance(recipe, ResidualRecipe) else StridedNetwork
    return kind(recipe, num_classes)
