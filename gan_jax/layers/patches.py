"""The linear map from an image to its windows, as rows of a matrix (im2col), and the transpose of this map (col2im)."""

import math

import jax
import jax.numpy as jnp
from jax import lax


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(zeros before, zeros after) of SAME padding, for ceil(size / stride) outputs. An odd zero is added at the end."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _blocks(size: int, kernel: int, stride: int) -> tuple[int, int, int, int]:
    """The division of an axis into blocks of `stride`: (zeros before, blocks, blocks per patch, patches)."""
    before, _ = _same_padding(size, kernel, stride)
    span, patches = math.ceil(kernel / stride), math.ceil(size / stride)
    return before, patches + span - 1, span, patches


# Without a barrier, XLA would fuse a copy into the matrix product and repeat the copy for every output column, or it
# would transpose the other factor.
materialize = lax.optimization_barrier


def patches(x: jax.Array, kernel: tuple[int, int], stride: int) -> jax.Array:
    """P: all windows of x [B, H, W, C] with SAME padding, as rows [B * H' * W', kh * kw * C]."""
    (b, h, w, c), out = x.shape, [math.ceil(size / stride) for size in x.shape[1:3]]
    padding = [_same_padding(size, k, stride) for size, k in zip((h, w), kernel, strict=True)]
    # Without this barrier, XLA would fuse the padding with the copies below, and copy single entries instead of rows.
    x = materialize(jnp.pad(x, ((0, 0), *padding, (0, 0))))
    last = [(n - 1) * stride + 1 for n in out]
    windows = [
        x[:, i : i + last[0] : stride, j : j + last[1] : stride] for i in range(kernel[0]) for j in range(kernel[1])
    ]
    return jnp.concatenate(windows, axis=-1).reshape(b * out[0] * out[1], kernel[0] * kernel[1] * c)


def overlap_add(p: jax.Array, shape: tuple[int, ...], kernel: tuple[int, int], stride: int) -> jax.Array:
    """P^T: adds the rows [B * H' * W', kh * kw * C] to their windows in an image of `shape` [B, H, W, C]."""
    b, h, w, c = shape
    (top, rows, span_h, out_h), (left, columns, span_w, out_w) = (
        _blocks(size, k, stride) for size, k in zip((h, w), kernel, strict=True)
    )
    p = p.reshape(b, out_h, out_w, *kernel, c)
    missing = (span_h * stride - kernel[0], span_w * stride - kernel[1])
    p = jnp.pad(p, ((0, 0), (0, 0), (0, 0), (0, missing[0]), (0, missing[1]), (0, 0)))
    p = p.reshape(b, out_h, out_w, span_h, stride, span_w, stride, c)
    image = sum(
        jnp.pad(p[:, :, :, i, :, j], ((0, 0), (i, span_h - 1 - i), (j, span_w - 1 - j), (0, 0), (0, 0), (0, 0)))
        for i in range(span_h)
        for j in range(span_w)
    )
    image = image.transpose(0, 1, 3, 2, 4, 5).reshape(b, rows * stride, columns * stride, c)
    # If the stride is larger than the kernel, some pixels are in no window: they are zero.
    after = ((0, 0), (0, max(top + h - rows * stride, 0)), (0, max(left + w - columns * stride, 0)), (0, 0))
    return jnp.pad(image, after)[:, top : top + h, left : left + w]
