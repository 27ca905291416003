"""Strided and transposed 2-D convolutions that are also fast on the CPU.

XLA's CPU backend computes a convolution at the speed of its matrix products, but the gradients that it derives for one
5 to 600 times more slowly, the most inside of a loop. On the CPU gradients are therefore written as a matrix product
with one linear map P ("patches", im2col) and its transpose P^T ("overlap-add", col2im):

    convolution             y = P(x) W        dx = P^T(dy W^T)    dW = P(x)^T dy
    transposed convolution  y = P^T(x W^T)    dx = P(dy) W        dW = P(dy)^T x

with x as rows of channels and W of shape [k * k * C, F]. The first product is the native convolution itself; at stride
1 so are its gradients, dx with the kernel turned round, dW with batch and channels exchanged. With bfloat16 factors and
a stride all are products (layers/products.py); at stride 1 the factors are rounded, and the native convolution is
float32's, which is the faster. On GPU and TPU the native operations are used throughout. Both forms agree to rounding
in value and in every gradient, for any stride, kernel and image size, with SAME padding.
"""

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.devices.mesh import num_data_shards, with_sharding
from gan_jax.layers.kernel_norms import plain
from gan_jax.layers.patches import materialize, overlap_add, patches
from gan_jax.layers.products import product

_NHWC = ("NHWC", "HWIO", "NHWC")

# Patches are made for a few images at a time, so that they stay in the cache and memory does not grow k * k times.
_CHUNK_BYTES = 1 << 22


def _flat(w: jax.Array) -> jax.Array:
    return w.reshape(-1, w.shape[-1])


def _num_chunks(shape: tuple[int, ...], w: jax.Array) -> int:
    """Into how many equal parts a batch is cut: as few as keep the patches of one within _CHUNK_BYTES.

    shape [B, H', W', F] is of the convolution's output, w its kernel.
    """
    batch, num_bytes = shape[0], math.prod(shape[:3]) * len(_flat(w)) * w.dtype.itemsize
    fits = (n for n in range(1, batch + 1) if batch % n == 0 and num_bytes <= n * _CHUNK_BYTES)
    return next(fits, batch)


def _split(x: jax.Array, chunks: int) -> jax.Array:
    return x.reshape(chunks, x.shape[0] // chunks, *x.shape[1:])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def matmul_conv(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """Convolution of x [B, H, W, C] with w [kh, kw, C, F], SAME padding; its gradients are matrix products."""
    if w.dtype == jnp.bfloat16:
        return _product_conv(x, w, stride)
    # A product with fewer columns than a vector register has entries takes as long as a full one.
    if stride == 1 and 1 < w.shape[-1] <= 4 and not x.shape[1] % 2 and not x.shape[2] % 2:
        return _four_at_once(x, w)
    return native_conv(x, w, stride)


def _product_conv(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """P(x) W, as an image, float32."""
    shape = jax.eval_shape(functools.partial(native_conv, stride=stride), x, w).shape
    chunks = _num_chunks(shape, w)

    def part(x):
        return product(materialize(patches(x, w.shape[:2], stride)), _flat(w))

    return lax.map(part, _split(x, chunks)).reshape(shape)


def _four_at_once(x: jax.Array, w: jax.Array) -> jax.Array:
    """The convolution of stride 1, 2 x 2 pixels at a time: of stride 2, with a kernel one larger for each of them."""
    kernels = [jnp.pad(w, ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))) for i in (0, 1) for j in (0, 1)]
    y = native_conv(x, jnp.concatenate(kernels, axis=-1), 2)
    b, rows, columns, _ = y.shape
    y = y.reshape(b, rows, columns, 2, 2, -1).swapaxes(2, 3)
    return y.reshape(b, 2 * rows, 2 * columns, -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _adjoint(y: jax.Array, w: jax.Array, stride: int, shape: tuple[int, ...]) -> jax.Array:
    """The transpose of x -> matmul_conv(x, w): y [B, H', W', F] to an image of `shape` [B, H, W, C]."""
    chunks = _num_chunks(y.shape, w)
    part_shape = (shape[0] // chunks, *shape[1:])

    def part(y):
        return overlap_add(materialize(product(_flat(y), _flat(w), "a b^T")), part_shape, w.shape[:2], stride)

    return lax.map(part, _split(y, chunks)).reshape(shape)


def _weight_product(rows: jax.Array, y: jax.Array) -> jax.Array:
    """(P^T y)^T [F, k * k * C] from P's rows and y. A CPU multiplies fast where the narrower is transposed."""
    y = _flat(y)
    return product(y, rows, "a^T b") if y.shape[1] <= rows.shape[1] else product(rows, y, "a^T b").T


def _from_weight_product(summed: jax.Array, w: jax.Array) -> jax.Array:
    return materialize(summed).T.reshape(w.shape).astype(w.dtype)


def _conv_forward(x, w, stride):
    return matmul_conv(x, w, stride), (x, w)


def _conv_backward(stride, saved, dy):
    x, w = saved
    dy = dy.astype(w.dtype)
    if stride > 1 or not w.shape[0] % 2 or not w.shape[1] % 2:
        return _adjoint(dy, w, stride, x.shape).astype(x.dtype), _weight_gradient(x, dy, w, stride)
    # The transpose of this convolution is one itself, with the kernel turned round; an even kernel's zeros would lie on
    # the other side. So is the weights' gradient, where the side with fewer channels is the image.
    dx = matmul_conv(dy, _turned(w), 1)
    if w.shape[2] <= w.shape[3]:
        return dx, _correlation(x, dy, w.shape[:2])
    return dx, _turned(_correlation(dy, x, w.shape[:2]))


def _correlation(x: jax.Array, dy: jax.Array, kernel: tuple[int, int]) -> jax.Array:
    """dW [kh, kw, C, F] at stride 1, as a convolution: of x's channels, as if a batch, with dy as the kernel."""
    x, dy = materialize(x.transpose(3, 1, 2, 0)), materialize(dy.transpose(1, 2, 0, 3))
    padding = [(k // 2, k // 2) for k in kernel]
    dw = lax.conv_general_dilated(x, dy, (1, 1), padding, dimension_numbers=_NHWC)
    return materialize(dw).transpose(1, 2, 0, 3)


def _turned(w: jax.Array) -> jax.Array:
    """The kernel [kh, kw, C, F] turned round, with inputs and outputs exchanged: [kh, kw, F, C]."""
    return w[::-1, ::-1].swapaxes(2, 3)


def _weight_gradient(x: jax.Array, dy: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """P(x)^T dy as a kernel like w [kh, kw, C, F]."""
    chunks = _num_chunks(dy.shape, w)

    def add(total, part):
        x, dy = part
        return total + _weight_product(materialize(patches(x, w.shape[:2], stride)), dy), None

    dw, _ = lax.scan(add, jnp.zeros(_flat(w).shape[::-1]), (_split(x, chunks), _split(dy, chunks)))
    return _from_weight_product(dw, w)


def _adjoint_forward(y, w, stride, shape):
    return _adjoint(y, w, stride, shape), (y, w)


def _adjoint_backward(stride, shape, saved, dx):
    """Both gradients from one set of patches: dy = P(dx) W, dW = P(dx)^T y."""
    y, w = saved
    chunks = _num_chunks(y.shape, w)

    def add(total, part):
        dx, y = part
        rows = materialize(patches(dx, w.shape[:2], stride))
        return total + _weight_product(rows, y), product(rows, _flat(w)).reshape(y.shape).astype(y.dtype)

    parts = _split(dx.astype(w.dtype), chunks), _split(y, chunks)
    dw, dy = lax.scan(add, jnp.zeros(_flat(w).shape[::-1]), parts)
    return dy.reshape(y.shape), _from_weight_product(dw, w)


matmul_conv.defvjp(_conv_forward, _conv_backward)
_adjoint.defvjp(_adjoint_forward, _adjoint_backward)


def matmul_conv_transpose(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """Transposed convolution of x [B, H, W, C] with w [kh, kw, C, F] to [B, H * stride, W * stride, F].

    Equal to `lax.conv_transpose(..., padding="SAME")`, which does not flip the kernel; the adjoint of a convolution
    does, hence the flip here.
    """
    b, h, width, _ = x.shape
    return _adjoint(x, _turned(w), stride, (b, h * stride, width * stride, w.shape[-1]))


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
    shares = num_data_shards()
    if shares == 1 or len(x) % shares:
        return convolve(x, w)
    y = jax.vmap(convolve, in_axes=(0, None))(with_sharding(_split(x, shares)), w)
    return y.reshape(len(x), *y.shape[2:])


def conv(x: jax.Array, w: jax.Array, stride: int = 1) -> jax.Array:
    """Convolution, SAME padding, by the form that is fastest on the default backend."""
    if jax.default_backend() == "cpu":
        if stride == 1:
            x, w = x.astype(jnp.float32), w.astype(jnp.float32)
        return _by_share(lambda x, w: matmul_conv(x, w, stride), x, w)
    return native_conv(x, w, stride)


def conv_transpose(x: jax.Array, w: jax.Array, stride: int = 1) -> jax.Array:
    """Transposed convolution, SAME padding, by the form that is fastest on the default backend."""
    if jax.default_backend() == "cpu":
        return _by_share(lambda x, w: matmul_conv_transpose(x, w, stride), x, w)
    return native_conv_transpose(x, w, stride)


class Conv(nn.Module):
    """Square-kernel convolution layer, SAME padding: [B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), features].

    With `transposed`, [B, H, W, C] -> [B, H * stride, W * stride, features] instead. `kernel_norm` reparametrises the
    kernel (layers/weights.py).
    """

    features: int
    kernel_size: int
    stride: int = 1
    transposed: bool = False
    use_bias: bool = True
    kernel_init: Callable = nn.initializers.lecun_normal()
    kernel_norm: Callable = plain

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel, convolve = self.param("kernel", self.kernel_init, shape), conv_transpose if self.transposed else conv
        y, bias_init = self.kernel_norm(self, lambda w: convolve(x.astype(w.dtype), w, self.stride), kernel, train)
        if self.use_bias:
            y = y + self.param("bias", bias_init, (self.features,)).reshape(1, 1, 1, -1)
        return y
