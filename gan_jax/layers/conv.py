"""Strided and transposed 2-D convolutions that are also fast on the CPU.

XLA's CPU backend computes a convolution at the speed of its matrix products, but the gradients that it derives for one
5 to 600 times more slowly, the most inside of a loop. On the CPU gradients are therefore written as a matrix product
with one linear map P ("patches", im2col) and its transpose P^T ("overlap-add", col2im):

    convolution             y = P(x) W        dx = P^T(dy W^T)    dW = P(x)^T dy
    transposed convolution  y = P^T(x W^T)    dx = P(dy) W        dW = P(dy)^T x

with x as rows of channels and W of shape [k * k * C, F]. The first product is the native convolution itself; so is dx
at stride 1, with the kernel turned round. On GPU and TPU the native operations are used throughout. Both forms agree to
float32 rounding in value and in every gradient, for any stride, kernel and image size, with SAME padding.
"""

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.layers.weights import plain
from gan_jax.mesh import num_shares, spread

_NHWC = ("NHWC", "HWIO", "NHWC")


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """The (before, after) zeros of SAME padding: the output has ceil(size / stride) entries, the odd zero goes last."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _blocks(size: int, kernel: int, stride: int) -> tuple[int, int, int, int]:
    """How one axis is cut into blocks of `stride`: (zeros before, blocks, blocks a patch spans, patches)."""
    before, _ = _same_padding(size, kernel, stride)
    span, patches = math.ceil(kernel / stride), math.ceil(size / stride)
    return before, patches + span - 1, span, patches


# XLA would otherwise fuse a copy into the matrix product and make it again for every output column, or undo a choice of
# which factor is transposed.
_materialize = lax.optimization_barrier


def patches(x: jax.Array, kernel: tuple[int, int], stride: int) -> jax.Array:
    """P: every SAME-padded k x k window of x [B, H, W, C], as rows [B * H' * W', kh * kw * C]."""
    (b, h, w, c), out = x.shape, [math.ceil(size / stride) for size in x.shape[1:3]]
    padding = [_same_padding(size, k, stride) for size, k in zip((h, w), kernel, strict=True)]
    # Apart from the copies below XLA copies whole rows of channels; fused with them it would find each entry by itself.
    x = _materialize(jnp.pad(x, ((0, 0), *padding, (0, 0))))
    last = [(n - 1) * stride + 1 for n in out]
    windows = [
        x[:, i : i + last[0] : stride, j : j + last[1] : stride] for i in range(kernel[0]) for j in range(kernel[1])
    ]
    return jnp.concatenate(windows, axis=-1).reshape(b * out[0] * out[1], kernel[0] * kernel[1] * c)


def overlap_add(p: jax.Array, shape: tuple[int, ...], kernel: tuple[int, int], stride: int) -> jax.Array:
    """P^T: rows [B * H' * W', kh * kw * C] added back into an image of `shape` [B, H, W, C] at their windows."""
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
    # A stride wider than the kernel leaves pixels that no window reads: they stay zero.
    after = ((0, 0), (0, max(top + h - rows * stride, 0)), (0, max(left + w - columns * stride, 0)), (0, 0))
    return jnp.pad(image, after)[:, top : top + h, left : left + w]


# Patches are made for a few images at a time, so that they stay in the cache and memory does not grow k * k times.
_CHUNK_BYTES = 1 << 22


def _flat(w: jax.Array) -> jax.Array:
    return w.reshape(-1, w.shape[-1])


def _num_chunks(batch: int, patch_entries: int) -> int:
    """Into how many equal parts a batch is cut: as few as keep the patches of one within _CHUNK_BYTES."""
    fits = (n for n in range(1, batch + 1) if batch % n == 0 and 4 * patch_entries <= n * _CHUNK_BYTES)
    return next(fits, batch)


def _split(x: jax.Array, chunks: int) -> jax.Array:
    return x.reshape(chunks, x.shape[0] // chunks, *x.shape[1:])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def matmul_conv(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """Convolution of x [B, H, W, C] with w [kh, kw, C, F], SAME padding; its gradients are matrix products."""
    return native_conv(x, w, stride)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _adjoint(y: jax.Array, w: jax.Array, stride: int, shape: tuple[int, ...]) -> jax.Array:
    """The transpose of x -> matmul_conv(x, w): y [B, H', W', F] to an image of `shape` [B, H, W, C]."""
    chunks = _num_chunks(len(y), math.prod(y.shape[:3]) * _flat(w).shape[0])
    part_shape = (shape[0] // chunks, *shape[1:])

    def part(y):
        return overlap_add(_materialize(_flat(y) @ _flat(w).T), part_shape, w.shape[:2], stride)

    return lax.map(part, _split(y, chunks)).reshape(shape)


def _weight_product(rows: jax.Array, y: jax.Array) -> jax.Array:
    """(P^T y)^T [F, k * k * C] from P's rows and y. The CPU's matrix product is twice as fast this way round."""
    return _materialize(_flat(y).T) @ rows


def _from_weight_product(product: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return _materialize(product).T.reshape(shape)


def _conv_forward(x, w, stride):
    return matmul_conv(x, w, stride), (x, w)


def _conv_backward(stride, saved, dy):
    x, w = saved
    if stride > 1 or not w.shape[0] % 2 or not w.shape[1] % 2:
        return _adjoint(dy, w, stride, x.shape), _weight_gradient(x, dy, w.shape, stride)
    # The transpose of this convolution is one itself, with the kernel turned round; an even kernel's zeros would lie on
    # the other side. Patches are made of whichever side has fewer channels.
    dx = matmul_conv(dy, _turned(w), 1)
    if w.shape[2] <= w.shape[3]:
        return dx, _weight_gradient(x, dy, w.shape, 1)
    return dx, _turned(_weight_gradient(dy, x, (*w.shape[:2], w.shape[3], w.shape[2]), 1))


def _turned(w: jax.Array) -> jax.Array:
    """The kernel [kh, kw, C, F] of the transposed convolution of stride 1, [kh, kw, F, C]."""
    return w[::-1, ::-1].swapaxes(2, 3)


def _weight_gradient(x: jax.Array, dy: jax.Array, shape: tuple[int, ...], stride: int) -> jax.Array:
    """P(x)^T dy as a kernel of `shape` [kh, kw, C, F]."""
    rows = math.prod(shape[:3])
    chunks = _num_chunks(len(dy), math.prod(dy.shape[:3]) * rows)

    def add(total, part):
        x, dy = part
        return total + _weight_product(_materialize(patches(x, shape[:2], stride)), dy), None

    dw, _ = lax.scan(add, jnp.zeros((shape[3], rows), dy.dtype), (_split(x, chunks), _split(dy, chunks)))
    return _from_weight_product(dw, shape)


def _adjoint_forward(y, w, stride, shape):
    return _adjoint(y, w, stride, shape), (y, w)


def _adjoint_backward(stride, shape, saved, dx):
    """Both gradients from one set of patches: dy = P(dx) W, dW = P(dx)^T y."""
    y, w = saved
    chunks = _num_chunks(len(y), math.prod(y.shape[:3]) * _flat(w).shape[0])

    def add(total, part):
        dx, y = part
        rows = _materialize(patches(dx, w.shape[:2], stride))
        return total + _weight_product(rows, y), (rows @ _flat(w)).reshape(y.shape)

    dw, dy = lax.scan(add, jnp.zeros(_flat(w).shape[::-1], w.dtype), (_split(dx, chunks), _split(y, chunks)))
    return dy.reshape(y.shape), _from_weight_product(dw, w.shape)


matmul_conv.defvjp(_conv_forward, _conv_backward)
_adjoint.defvjp(_adjoint_forward, _adjoint_backward)


def matmul_conv_transpose(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """Transposed convolution of x [B, H, W, C] with w [kh, kw, C, F] to [B, H * stride, W * stride, F].

    Equal to `lax.conv_transpose(..., padding="SAME")`, which does not flip the kernel; the adjoint of a convolution
    does, hence the flip here.
    """
    b, h, width, _ = x.shape
    flipped = w[::-1, ::-1].swapaxes(2, 3)
    return _adjoint(x, flipped, stride, (b, h * stride, width * stride, w.shape[-1]))


def native_conv(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """The same convolution by `lax.conv_general_dilated`."""
    return lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=_NHWC)


def native_conv_transpose(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """The same transposed convolution by `lax.conv_transpose`."""
    return lax.conv_transpose(x, w, (stride, stride), "SAME", dimension_numbers=_NHWC)


def _by_share(convolve: Callable, x: jax.Array, w: jax.Array) -> jax.Array:
    """convolve(x, w), where the devices of a mesh each take their own images in chunks.

    Chunks of the whole batch would each lie on one device. Without the mesh's partition written out, every chunk's part
    of the weight gradient would be added up between the devices, not their sum alone.
    """
    shares = num_shares()
    if shares == 1 or len(x) % shares:
        return convolve(x, w)
    y = jax.vmap(convolve, in_axes=(0, None))(spread(_split(x, shares)), w)
    return y.reshape(len(x), *y.shape[2:])


def conv(x: jax.Array, w: jax.Array, stride: int = 1) -> jax.Array:
    """Convolution, SAME padding, by the form that is fastest on the default backend."""
    if jax.default_backend() == "cpu":
        return _by_share(lambda x, w: matmul_conv(x, w, stride), x, w)
    return native_conv(x, w, stride)


def conv_transpose(x: jax.Array, w: jax.Array, stride: int = 1) -> jax.Array:
    """Transposed convolution, SAME padding, by the form that is fastest on the default backend."""
    if jax.default_backend() == "cpu":
        return _by_share(lambda x, w: matmul_conv_transpose(x, w, stride), x, w)
    return native_conv_transpose(x, w, stride)


class Conv(nn.Module):
    """Square-kernel convolution layer, SAME padding: [B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), features].

    With `transposed`, [B, H, W, C] -> [B, H * stride, W * stride, features] instead. `weight` reparametrises the
    kernel (layers/weights.py).
    """

    features: int
    kernel_size: int
    stride: int = 1
    transposed: bool = False
    use_bias: bool = True
    kernel_init: Callable = nn.initializers.lecun_normal()
    weight: Callable = plain

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel, convolve = self.param("kernel", self.kernel_init, shape), conv_transpose if self.transposed else conv
        y, bias_init = self.weight(self, lambda w: convolve(x, w, self.stride), kernel, train)
        if self.use_bias:
            y = y + self.param("bias", bias_init, (self.features,)).reshape(1, 1, 1, -1)
        return y
