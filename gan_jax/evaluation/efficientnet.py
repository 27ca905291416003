"""The EfficientNet-Lite0 network, trained on ImageNet, for inference only.

Architecture: EfficientNet-B0 (arXiv 1905.11946, table 1) in its "Lite" form: ReLU6 in place of swish, and no
squeeze-and-excitation. Its blocks are the inverted residuals of arXiv 1801.04381: a 1 x 1 convolution to more
channels, a depthwise convolution, and a 1 x 1 convolution to fewer channels without an activation.

It has 4 652 008 parameters, and 42 016 running means and variances. Batch norms have epsilon 0.001 and are not merged
into the convolutions. Names are those of the published PyTorch weights, which `efficientnet_weights` reads.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.devices import compiler
from gan_jax.evaluation.batching import in_batches

SIDE = 128  # pixels of the network's input; docs/scores.md has the accuracy and the speed of other sides
NUM_FEATURES = 1280
NUM_CLASSES = 1000
# On a GPU or TPU the default precision of a product is less than float32, and the scores would depend on it.
PRECISION = jax.lax.Precision.HIGHEST


class Stage(NamedTuple):
    """`repeats` blocks; the first of them has the stride, and changes the number of channels to `width`."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int


STEM_WIDTH = 32
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class _Depthwise(nn.Module):
    """A convolution of each channel with a kernel of its own, padded as "SAME".

    It is a sum of shifted images, one for each entry of the kernel. XLA's grouped convolution, which computes the same,
    took 4 to 67 times as long for the shapes of this network (jaxlib 0.10.2, 2 CPU cores), and 28 to 114 times with
    the options of `compiler`.
    """

    kernel_size: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        size, stride, (_, height, width, channels) = self.kernel_size, self.stride, x.shape
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (size, size, 1, channels))
        padding = jax.lax.padtype_to_pads((height, width), (size, size), (stride, stride), "SAME")
        x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
        num_rows, num_columns = (length - size + 1 for length in x.shape[1:3])
        total = 0.0
        for i in range(size):
            for j in range(size):
                shifted = x[:, i : i + num_rows : stride, j : j + num_columns : stride]
                total = total + shifted * kernel[i, j].reshape(1, 1, 1, channels)
        return total


def _norm(x: jax.Array, name: str) -> jax.Array:
    return nn.BatchNorm(use_running_average=True, epsilon=0.001, name=name)(x)


def _conv(x: jax.Array, width: int, conv: str, norm: str, kernel: int = 1, stride: int = 1) -> jax.Array:
    """A convolution without bias, and batch norm. Both become children of the calling module."""
    shape, strides = (kernel, kernel), (stride, stride)
    return _norm(nn.Conv(width, shape, strides, "SAME", use_bias=False, precision=PRECISION, name=conv)(x), norm)


class _Block(nn.Module):
    """An inverted residual. With a stride of 1 and as many channels as its input, it adds its input."""

    kernel: int
    stride: int
    expansion: int
    width: int

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        x, channels = inputs, inputs.shape[-1] * self.expansion
        if self.expansion > 1:
            x = nn.relu6(_conv(x, channels, "_expand_conv", "_bn0"))
        x = nn.relu6(_norm(_Depthwise(self.kernel, self.stride, name="_depthwise_conv")(x), "_bn1"))
        x = _conv(x, self.width, "_project_conv", "_bn2")
        return x + inputs if x.shape == inputs.shape else x


class EfficientNetLite0(nn.Module):
    """float32 [N, side, side, 3] in about [-1, 1] -> features before the last layer [N, 1280], logits [N, 1000]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = nn.relu6(_conv(x, STEM_WIDTH, "_conv_stem", "_bn0", kernel=3, stride=2))
        number = 0
        for repeats, kernel, stride, expansion, width in STAGES:
            for repeat in range(repeats):
                stride_here = stride if repeat == 0 else 1
                x = _Block(kernel, stride_here, expansion, width, name=f"_blocks.{number}")(x)
                number += 1
        x = nn.relu6(_conv(x, NUM_FEATURES, "_conv_head", "_bn1"))
        features = x.mean(axis=(1, 2))
        return features, nn.Dense(NUM_CLASSES, precision=PRECISION, name="_fc")(features)


@functools.cache
def template() -> Any:
    """Shapes and types of the variables."""
    return jax.eval_shape(EfficientNetLite0().init, jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 3)))


def prepare(images: np.ndarray, side: int) -> jax.Array:
    """uint8 [N, H, W, 1 or 3] -> float32 [N, side, side, 3], (x - 127) / 128 after resizing.

    The resizing is bicubic (Keys, a = -0.5) with pixel centres, and smooths before it reduces: that of Pillow on
    floats, which arXiv 2104.11222 recommends because a reduction without smoothing changes Frechet distances. The
    resizing of TensorFlow 1 (`inception_resize`) does not smooth, and is for Inception scores alone. Values may be a
    little outside of [0, 255] beside edges; they are neither clipped nor rounded.
    """
    number, _, _, channels = images.shape
    resized = jax.image.resize(
        jnp.asarray(images, jnp.float32), (number, side, side, channels), "cubic", antialias=True, precision=PRECISION
    )
    return jnp.broadcast_to((resized - 127.0) / 128.0, (number, side, side, 3))


@functools.cache
def _inference() -> Callable:
    """Compiled (variables, prepared images) -> features, logits. Images of all sizes share one program."""
    return compiler.jit(EfficientNetLite0().apply)


class EfficientNetFeatures(NamedTuple):
    """An extractor with the features of EfficientNet-Lite0. side: images are resized to side x side pixels."""

    variables: Any
    side: int = SIDE

    @property
    def name(self) -> str:
        """Name of the features in results: the network, the first digits of the sha256 of its weights, and the side."""
        return f"imagenet-efficientnet-lite0-57934424-{self.side}"

    def __call__(self, images: np.ndarray, batch_size: int = 16) -> tuple[np.ndarray, np.ndarray]:
        """uint8 [N, H, W, 1 or 3] of any size -> float32 features in [0, 6] [N, 1280], and logits [N, 1000]."""
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape:
            raise ValueError(f"expected uint8 images [N, H, W, 1 or 3], got {images.dtype} {images.shape}")
        variables = jax.device_put(self.variables)

        def extract(index: int, batch: np.ndarray) -> tuple[jax.Array, jax.Array]:
            return _inference()(variables, prepare(batch, self.side))

        return in_batches(extract, [images], batch_size)
