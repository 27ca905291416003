"""2-D convolutions in the form that is fastest on the backend, and the convolution layer.

On the CPU these are the forms of layers/matmul_conv.py. On GPU and TPU, convolutions are native, except those whose
windows do not overlap: they are matrix products on every backend.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.devices.mesh import num_data_shards, with_sharding
from gan_jax.layers.kernel_norms import plain
from gan_jax.layers.matmul_conv import flatten_kernel, matmul_conv, matmul_conv_transpose, split_batch
from gan_jax.layers.native import is_portable, native_conv, native_conv_transpose
from gan_jax.layers.patches import patches
from gan_jax.layers.products import product


def _per_shard(convolve: Callable, x: jax.Array, w: jax.Array) -> jax.Array:
    """convolve(x, w). On a mesh, each device splits its own images into chunks.

    If the complete batch was split into chunks, all images of a chunk would be on one device. The sharding is explicit,
    because otherwise the devices would add up the weight gradient of every chunk, and not only that of all chunks.
    """
    shards = num_data_shards()
    if shards == 1 or len(x) % shards:
        return convolve(x, w)
    y = jax.vmap(convolve, in_axes=(0, None))(with_sharding(split_batch(x, shards)), w)
    return y.reshape(len(x), *y.shape[2:])


def _conv_of_tiles(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """A convolution whose windows do not overlap (with a 1x1 kernel, say): one matrix product.

    XLA's partitioner (jaxlib 0.10.2) gets some of them wrong if batches or seeds are sharded: the error of a gradient
    was as large as the gradient.
    """
    y = product(patches(x, w.shape[:2], stride), flatten_kernel(w))
    return y.reshape(len(x), -(-x.shape[1] // stride), -(-x.shape[2] // stride), -1)


def conv(x: jax.Array, w: jax.Array, stride: int = 1) -> jax.Array:
    """Convolution with SAME padding, in the form that is fastest on the default backend."""
    if is_portable():
        return native_conv(x, w, stride)
    if stride == 1 and jax.default_backend() == "cpu":
        x, w = x.astype(jnp.float32), w.astype(jnp.float32)
    if w.shape[:2] == (stride, stride):
        return _conv_of_tiles(x, w, stride)
    if jax.default_backend() == "cpu":
        return _per_shard(lambda x, w: matmul_conv(x, w, stride), x, w)
    return native_conv(x, w, stride)


def grouped_conv(x: jax.Array, w: jax.Array, stride: int, groups: int) -> jax.Array:
    """Convolution whose channels are in groups: w [kh, kw, C / groups, F], each F / groups outputs of one group.

    On the CPU it is one convolution a group, because the gradients that XLA derives of a native one take 10 to 60
    times as long (64 images of 28 x 28 x 64 in 4 groups, and of 7 x 7 x 256 in 16; one thread, jax 0.10.2).
    """
    if groups == 1:
        return conv(x, w, stride)
    if is_portable() or jax.default_backend() != "cpu":
        return native_conv(x, w, stride, groups)
    parts = zip(jnp.split(x, groups, axis=-1), jnp.split(w, groups, axis=-1), strict=True)
    return jnp.concatenate([conv(x, w, stride) for x, w in parts], axis=-1)


def conv_transpose(x: jax.Array, w: jax.Array, stride: int = 1) -> jax.Array:
    """Transposed convolution with SAME padding, in the form that is fastest on the default backend."""
    if jax.default_backend() == "cpu" and not is_portable():
        return _per_shard(lambda x, w: matmul_conv_transpose(x, w, stride), x, w)
    return native_conv_transpose(x, w, stride)


class Conv(nn.Module):
    """Square-kernel convolution layer, SAME padding: [B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), features].

    If `transposed`: [B, H, W, C] -> [B, H * stride, W * stride, features]. kernel_norm: see layers/kernel_norms.py.
    groups: number of groups of channels that do not see each other; only if not `transposed`.
    """

    features: int
    kernel_size: int
    stride: int = 1
    transposed: bool = False
    groups: int = 1
    use_bias: bool = True
    kernel_init: Callable = nn.initializers.lecun_normal()
    kernel_norm: Callable = plain

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        convolve = conv_transpose if self.transposed else functools.partial(grouped_conv, groups=self.groups)
        y, bias_init = self.kernel_norm(self, lambda w: convolve(x.astype(w.dtype), w, self.stride), kernel, train)
        if self.use_bias:
            y = y + self.param("bias", bias_init, (self.features,)).reshape(1, 1, 1, -1)
        return y
