"""Forms of 2-D convolutions that are fast on the CPU: their gradients are matrix products.

XLA's CPU backend computes a convolution as fast as a matrix product. But the gradients that it derives are 5 to 600
times slower, and slowest inside of a loop. So on the CPU, the gradients are written as matrix products with one linear
map P ("patches", im2col) and its transpose P^T ("overlap-add", col2im):

    convolution             y = P(x) W        dx = P^T(dy W^T)    dW = P(x)^T dy
    transposed convolution  y = P^T(x W^T)    dx = P(dy) W        dW = P(dy)^T x

Here, x is a matrix of pixels and channels, and W has the shape [k * k * C, F]. P(x) W is the native convolution. At
stride 1, its gradients are native convolutions, too: dx has a flipped kernel, dW exchanges batch and channels. If the
package of compiled kernels is installed, it computes dW where it is faster (layers/cpu_kernel.py). With bfloat16
factors and a stride above 1, all of them are matrix products (layers/products.py). At stride 1, the factors
are rounded to bfloat16 and the native convolution is computed in float32, which is faster. All forms agree up to
rounding in their values and gradients, for any stride, kernel and image size, with SAME padding.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.layers import cpu_kernel
from gan_jax.layers.native import native_conv
from gan_jax.layers.patches import materialize, overlap_add, patches
from gan_jax.layers.products import product

_NHWC = ("NHWC", "HWIO", "NHWC")

# Patches are computed for a few images at a time. So they fit into the cache, and memory does not grow k * k times.
_CHUNK_BYTES = 1 << 22


def flatten_kernel(w: jax.Array) -> jax.Array:
    """The kernel as a matrix [kh * kw * C, F]."""
    return w.reshape(-1, w.shape[-1])


def _num_chunks(shape: tuple[int, ...], w: jax.Array) -> int:
    """The smallest number of equal chunks of a batch for which the patches of one chunk fit into _CHUNK_BYTES.

    shape: [B, H', W', F], of the convolution's output. w: its kernel.
    """
    batch, num_bytes = shape[0], math.prod(shape[:3]) * len(flatten_kernel(w)) * w.dtype.itemsize
    fitting = (n for n in range(1, batch + 1) if batch % n == 0 and num_bytes <= n * _CHUNK_BYTES)
    return next(fitting, batch)


def split_batch(x: jax.Array, chunks: int) -> jax.Array:
    """[B, ...] -> [chunks, B / chunks, ...]."""
    return x.reshape(chunks, x.shape[0] // chunks, *x.shape[1:])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def matmul_conv(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """Convolution of x [B, H, W, C] with w [kh, kw, C, F], SAME padding. Its gradients are matrix products."""
    if w.dtype == jnp.bfloat16:
        return _product_conv(x, w, stride)
    # A product with fewer columns than the entries of a vector register takes as long as one with all columns.
    if stride == 1 and 1 < w.shape[-1] <= 4 and not x.shape[1] % 2 and not x.shape[2] % 2:
        return _conv_of_pixel_blocks(x, w)
    return native_conv(x, w, stride)


def _product_conv(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """P(x) W as a float32 image."""
    shape = jax.eval_shape(functools.partial(native_conv, stride=stride), x, w).shape
    chunks = _num_chunks(shape, w)

    def convolve_chunk(x):
        return product(materialize(patches(x, w.shape[:2], stride)), flatten_kernel(w))

    return lax.map(convolve_chunk, split_batch(x, chunks)).reshape(shape)


def _conv_of_pixel_blocks(x: jax.Array, w: jax.Array) -> jax.Array:
    """A convolution of stride 1 that computes blocks of 2 x 2 pixels.

    It is one convolution of stride 2 with four kernels, one for each pixel of a block, each one row and column larger.
    """
    kernels = [jnp.pad(w, ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))) for i in (0, 1) for j in (0, 1)]
    y = native_conv(x, jnp.concatenate(kernels, axis=-1), 2)
    b, rows, columns, _ = y.shape
    y = y.reshape(b, rows, columns, 2, 2, -1).swapaxes(2, 3)
    return y.reshape(b, 2 * rows, 2 * columns, -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _adjoint(y: jax.Array, w: jax.Array, stride: int, shape: tuple[int, ...]) -> jax.Array:
    """The transpose of x -> matmul_conv(x, w): from y [B, H', W', F] to an image of `shape` [B, H, W, C]."""
    chunks = _num_chunks(y.shape, w)
    chunk_shape = (shape[0] // chunks, *shape[1:])

    def transpose_chunk(y):
        return overlap_add(
            materialize(product(flatten_kernel(y), flatten_kernel(w), "a b^T")), chunk_shape, w.shape[:2], stride
        )

    return lax.map(transpose_chunk, split_batch(y, chunks)).reshape(shape)


def _weight_product(rows: jax.Array, y: jax.Array) -> jax.Array:
    """(P^T y)^T [F, k * k * C] from the rows of P and y. On a CPU it is faster to transpose the narrower factor."""
    y = flatten_kernel(y)
    return product(y, rows, "a^T b") if y.shape[1] <= rows.shape[1] else product(rows, y, "a^T b").T


def _from_weight_product(total: jax.Array, w: jax.Array) -> jax.Array:
    return materialize(total).T.reshape(w.shape).astype(w.dtype)


def _conv_forward(x, w, stride):
    return matmul_conv(x, w, stride), (x, w)


def _is_flipped_conv(w: jax.Array, stride: int) -> bool:
    """Whether the transpose of a convolution is one with the flipped kernel.

    That is so at stride 1. But with an even kernel, the padding would be on the wrong side.
    """
    return stride == 1 and w.shape[0] % 2 == 1 and w.shape[1] % 2 == 1


def _conv_backward(stride, saved, dy):
    x, w = saved
    dy = dy.astype(w.dtype)
    dw = _weight_gradient(x, dy, w, stride)
    if _is_flipped_conv(w, stride):
        return matmul_conv(dy, _flipped(w), 1), dw
    return _adjoint(dy, w, stride, x.shape).astype(x.dtype), dw


def _weight_gradient(x: jax.Array, dy: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """dW of a convolution of x with w, in the fastest form."""
    if cpu_kernel.is_faster(x, dy):
        return _compiled_weight_gradient(x, dy, w.shape[:2], stride)
    if not _is_flipped_conv(w, stride):
        return _patches_product(x, dy, w, stride)
    # It is a convolution, too; the array with fewer channels is its image.
    if w.shape[2] <= w.shape[3]:
        return _correlation(x, dy, w.shape[:2])
    return _flipped(_correlation(dy, x, w.shape[:2]))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _compiled_weight_gradient(x: jax.Array, dy: jax.Array, kernel: tuple[int, int], stride: int) -> jax.Array:
    return cpu_kernel.weight_gradient(x, dy, kernel, stride)


def _compiled_forward(x, dy, kernel, stride):
    return _compiled_weight_gradient(x, dy, kernel, stride), (x, dy)


def _compiled_backward(kernel, stride, saved, dw):
    """Both gradients of the sum of dw * dW: dW is linear in x and in dy."""
    del kernel
    x, dy = saved
    return _adjoint(dy, dw, stride, x.shape), matmul_conv(x, dw, stride)


def _correlation(x: jax.Array, dy: jax.Array, kernel: tuple[int, int]) -> jax.Array:
    """dW [kh, kw, C, F] at stride 1: a convolution of x, whose channels become the batch, with dy as the kernel."""
    x, dy = materialize(x.transpose(3, 1, 2, 0)), materialize(dy.transpose(1, 2, 0, 3))
    padding = [(k // 2, k // 2) for k in kernel]
    dw = lax.conv_general_dilated(x, dy, (1, 1), padding, dimension_numbers=_NHWC)
    return materialize(dw).transpose(1, 2, 0, 3)


def _flipped(w: jax.Array) -> jax.Array:
    """The kernel [kh, kw, C, F] flipped in both directions, with inputs and outputs exchanged: [kh, kw, F, C]."""
    return w[::-1, ::-1].swapaxes(2, 3)


def _patches_product(x: jax.Array, dy: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """P(x)^T dy, in the shape of the kernel w [kh, kw, C, F]."""
    chunks = _num_chunks(dy.shape, w)

    def add(total, chunk):
        x, dy = chunk
        return total + _weight_product(materialize(patches(x, w.shape[:2], stride)), dy), None

    dw, _ = lax.scan(add, jnp.zeros(flatten_kernel(w).shape[::-1]), (split_batch(x, chunks), split_batch(dy, chunks)))
    return _from_weight_product(dw, w)


def _adjoint_forward(y, w, stride, shape):
    return _adjoint(y, w, stride, shape), (y, w)


def _adjoint_backward(stride, shape, saved, dx):
    """dy = P(dx) W, dW = P(dx)^T y. Without the compiled kernel, both are from the same patches."""
    y, w = saved
    dx = dx.astype(w.dtype)
    if cpu_kernel.is_faster(dx, y):
        return matmul_conv(dx, w, stride), _compiled_weight_gradient(dx, y, w.shape[:2], stride)
    chunks = _num_chunks(y.shape, w)

    def add(total, chunk):
        dx, y = chunk
        rows = materialize(patches(dx, w.shape[:2], stride))
        return total + _weight_product(rows, y), product(rows, flatten_kernel(w)).reshape(y.shape).astype(y.dtype)

    chunked = split_batch(dx, chunks), split_batch(y, chunks)
    dw, dy = lax.scan(add, jnp.zeros(flatten_kernel(w).shape[::-1]), chunked)
    return dy.reshape(y.shape), _from_weight_product(dw, w)


matmul_conv.defvjp(_conv_forward, _conv_backward)
_adjoint.defvjp(_adjoint_forward, _adjoint_backward)
_compiled_weight_gradient.defvjp(_compiled_forward, _compiled_backward)


def matmul_conv_transpose(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """Transposed convolution of x [B, H, W, C] with w [kh, kw, C, F] to [B, H * stride, W * stride, F].

    Equal to `lax.conv_transpose(..., padding="SAME")`, which does not flip the kernel. `_adjoint` flips it, so the
    kernel is flipped here once more.
    """
    b, h, width, _ = x.shape
    return _adjoint(x, _flipped(w), stride, (b, h * stride, width * stride, w.shape[-1]))
