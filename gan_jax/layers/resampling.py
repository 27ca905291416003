"""Upsampling and downsampling of images by a factor of 2. Each is the transpose of the other, up to a factor of 4.

The gradients are written out, because XLA would derive a sum over two axes of size 2. Its CPU backend fuses this sum
with the convolution before it, which takes twice the time.
"""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def upsample(x: jax.Array) -> jax.Array:
    """Nearest neighbour, [B, H, W, C] -> [B, 2H, 2W, C]."""
    b, h, w, c = x.shape
    return jnp.broadcast_to(x[:, :, None, :, None], (b, h, 2, w, 2, c)).reshape(b, 2 * h, 2 * w, c)


@jax.custom_vjp
def _sum_blocks(x: jax.Array) -> jax.Array:
    """Sums of 2 x 2 pixels, [B, 2H, 2W, C] -> [B, H, W, C]: the transpose of `upsample`."""
    return x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]


upsample.defvjp(lambda x: (upsample(x), None), lambda _, dy: (_sum_blocks(dy),))
_sum_blocks.defvjp(lambda x: (_sum_blocks(x), None), lambda _, dy: (upsample(dy),))


def halve(x: jax.Array) -> jax.Array:
    """Means of 2 x 2 pixels, [B, H, W, C] -> [B, H // 2, W // 2, C]; an odd last row or column is dropped."""
    h, w = (size // 2 * 2 for size in x.shape[1:3])
    return _sum_blocks(x[:, :h, :w]) / 4
