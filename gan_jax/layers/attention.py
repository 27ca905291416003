"""Self-attention over the positions of an image, and where a network has it."""

from collections.abc import Callable, Collection

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.conv import Conv
from gan_jax.layers.kernel_norms import plain
from gan_jax.system.errors import UserError


def _pool(x: jax.Array) -> jax.Array:
    """Maxima of 2 x 2 pixels, [B, H, W, C] -> [B, H / 2, W / 2, C]; x itself if a side is odd."""
    batch, height, width, channels = x.shape
    if height % 2 or width % 2:
        return x
    return jnp.max(x.reshape(batch, height // 2, 2, width // 2, 2, channels), axis=(2, 4))


class SelfAttention(nn.Module):
    """y_j = x_j + gamma o_j, o_j = v(sum_i b_ji h(x_i)), b_ji = softmax_i(f(x_i) . g(x_j)), for images [B, H, W, C].

    SAGAN (arXiv 1805.08318, eq. 1 to 3). f (keys), g (queries), h (values) and v (output) are 1x1 convolutions without
    bias. f and g have C / 8 channels, h has C / 2, each at least 1, and v has C. gamma is one number that starts at 0,
    so the layer starts as the identity.

    In the paper, the positions i are all pixels. In its published code and in that of BigGAN, f(x) and h(x) are pooled:
    the positions i are the maxima of 2 x 2 pixels, and the layer costs a quarter. This layer pools, too, unless a side
    is odd.
    """

    kernel_init: Callable = nn.initializers.lecun_normal()
    kernel_norm: Callable = plain

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        batch, channels = len(x), x.shape[-1]

        def linear(x: jax.Array, features: int, name: str) -> jax.Array:
            conv = Conv(
                features, 1, use_bias=False, kernel_init=self.kernel_init, kernel_norm=self.kernel_norm, name=name
            )
            return conv(x, train)

        queries = linear(x, max(1, channels // 8), "queries")
        keys = _pool(linear(x, max(1, channels // 8), "keys"))
        values = _pool(linear(x, max(1, channels // 2), "values"))
        queries, keys, values = (y.reshape(batch, -1, y.shape[-1]) for y in (queries, keys, values))
        weights = jax.nn.softmax(jnp.einsum("bjc,bic->bji", queries, keys), axis=-1)
        attended = jnp.einsum("bji,bic->bjc", weights, values).reshape(*x.shape[:3], -1)
        gamma = self.param("gamma", nn.initializers.zeros, ())
        return x + gamma * linear(attended, channels, "output")


class AttentionAtSides:
    """The attention layers of one forward pass: one after the first layer whose output has a side in `sides`.

    A network calls it with the output of every layer or block, and `check` at its end.
    """

    def __init__(self, layer: Callable[..., nn.Module], sides: Collection[int], train: bool):
        self._layer, self._sides, self._train = layer, sides, train
        self._seen = []

    def __call__(self, x: jax.Array) -> jax.Array:
        side = x.shape[1]
        if side in self._seen:
            return x
        self._seen.append(side)
        return self._layer(name=f"Attention_{side}")(x, self._train) if side in self._sides else x

    def check(self, player: str) -> None:
        """UserError if no layer has one of the sides."""
        if wrong := [side for side in self._sides if side not in self._seen]:
            raise UserError(
                f"{player}.attention_sides={self._sides}: no hidden layer has an output of {wrong[0]} pixels; choose "
                f"among {', '.join(map(str, sorted(self._seen)))}"
            )
