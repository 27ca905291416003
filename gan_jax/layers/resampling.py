"""Upsampling and downsampling of images by a factor of 2. Each is the transpose of the other, up to a factor of 4.

`upsample` and `halve` repeat and average pixels. `binomial_upsample` and `binomial_halve` weigh neighbours with the
binomial filter 1, 3, 3, 1, which lets less of the high frequencies through that a grid of half the size cannot have.

The gradients of the first two are written out, because XLA would derive a sum over two axes of size 2. Its CPU backend
fuses this sum with the convolution before it, which takes twice the time.
"""

import jax
import jax.numpy as jnp
from jax import lax


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


def binomial_halve(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, H // 2, W // 2, C]: y_i = (x_2i-1 + 3 x_2i + 3 x_2i+1 + x_2i+2) / 8 on both axes, 0 outside.

    The filter 1, 2, 1 of R3GAN (arXiv 2501.05441) on top of the mean of two pixels.
    """
    for axis in (1, 2):
        size, padded = x.shape[axis] // 2, _pad(x, axis)
        a, b, c, d = (lax.slice_in_dim(padded, start, start + 2 * size - 1, 2, axis) for start in range(4))
        x = (a + 3 * b + 3 * c + d) / 8
    return x


def binomial_upsample(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, 2H, 2W, C]: y_2i = (x_i-1 + 3 x_i) / 4, y_2i+1 = (3 x_i + x_i+1) / 4 on both axes."""
    for axis in (1, 2):
        size, padded = x.shape[axis], _pad(x, axis)
        before, after = (lax.slice_in_dim(padded, start, start + size, axis=axis) for start in (0, 2))
        # Not `stack`, which exported networks cannot have.
        pair = [jnp.expand_dims(y, axis + 1) for y in ((before + 3 * x) / 4, (3 * x + after) / 4)]
        x = jnp.concatenate(pair, axis=axis + 1).reshape(*x.shape[:axis], 2 * size, *x.shape[axis + 1 :])
    return x


def _pad(x: jax.Array, axis: int) -> jax.Array:
    """`x` with one 0 at both ends of an axis."""
    return jnp.pad(x, [(1, 1) if index == axis else (0, 0) for index in range(x.ndim)])
