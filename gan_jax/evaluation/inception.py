"""The Inception-v3 network of the FID and the Inception score, for inference only.

Architecture: arXiv 1512.00567. The scores (arXiv 1606.03498, 1706.08500) use the frozen TensorFlow graph of 2015-12-05,
which differs from the paper and from later releases of Inception-v3:

- averages over 3 x 3 windows do not count the padding;
- the pooling branch of the last block takes the maximum instead of the average;
- there are 1008 logits, of which 1000 belong to classes, and no auxiliary head;
- pixels are (x - 128) / 128 after TensorFlow 1's bilinear resizing to 299 x 299.

It has 23 850 960 parameters, and 34 432 running means and variances. Batch norms have epsilon 0.001 and are not merged
into the convolutions. Names are those of the published PyTorch weights, which `inception_weights` reads.
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
from gan_jax.evaluation.inception_resize import resize_bilinear

NAME = "inception-2015-12-05-6726825d"
IMAGE_SIZE = 299  # pixels
NUM_FEATURES = 2048
NUM_LOGITS = 1008
# On a GPU or TPU the default precision of a product is less than float32, and the scores would depend on it.
PRECISION = jax.lax.Precision.HIGHEST


class Unit(NamedTuple):
    """A convolution without bias, followed by batch norm and ReLU."""

    name: str
    width: int  # output channels
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: str = "SAME"


Stage = str | Unit | tuple[Unit, ...]  # a pooling, a unit, or units with the same input and concatenated outputs
Branch = tuple[Stage, ...]
Block = tuple[Branch, ...]  # branches with the same input; their outputs are concatenated in this order


def _chain(name: str, *shapes: tuple[int, tuple[int, int]]) -> Branch:
    """Units NAME_1, NAME_2, ... of (width, kernel)."""
    return tuple(Unit(f"{name}_{number}", *shape) for number, shape in enumerate(shapes, start=1))


def _narrow(branch: Branch) -> Branch:
    """The branch with a stride of 2 in its last unit, which halves height and width."""
    return (*branch[:-1], branch[-1]._replace(stride=2, padding="VALID"))


def _block_35(pooled: int) -> Block:
    return (
        (Unit("branch1x1", 64),),
        _chain("branch5x5", (48, (1, 1)), (64, (5, 5))),
        _chain("branch3x3dbl", (64, (1, 1)), (96, (3, 3)), (96, (3, 3))),
        ("average", Unit("branch_pool", pooled)),
    )


def _block_17(inner: int) -> Block:
    column, row = (7, 1), (1, 7)
    doubled = ((inner, (1, 1)), (inner, column), (inner, row), (inner, column), (192, row))
    return (
        (Unit("branch1x1", 192),),
        _chain("branch7x7", (inner, (1, 1)), (inner, row), (192, column)),
        _chain("branch7x7dbl", *doubled),
        ("average", Unit("branch_pool", 192)),
    )


def _block_8(pooling: str) -> Block:
    def fork(name: str) -> tuple[Unit, Unit]:
        return Unit(f"{name}a", 384, (1, 3)), Unit(f"{name}b", 384, (3, 1))

    return (
        (Unit("branch1x1", 320),),
        (*_chain("branch3x3", (384, (1, 1))), fork("branch3x3_2")),
        (*_chain("branch3x3dbl", (448, (1, 1)), (384, (3, 3))), fork("branch3x3dbl_3")),
        (pooling, Unit("branch_pool", 192)),
    )


STEM: Branch = (
    Unit("Conv2d_1a_3x3", 32, (3, 3), stride=2, padding="VALID"),
    Unit("Conv2d_2a_3x3", 32, (3, 3), padding="VALID"),
    Unit("Conv2d_2b_3x3", 64, (3, 3)),
    "narrow",
    Unit("Conv2d_3b_1x1", 80),
    Unit("Conv2d_4a_3x3", 192, (3, 3), padding="VALID"),
    "narrow",
)
BLOCKS: dict[str, Block] = {
    "Mixed_5b": _block_35(32),
    "Mixed_5c": _block_35(64),
    "Mixed_5d": _block_35(64),
    "Mixed_6a": (
        (Unit("branch3x3", 384, (3, 3), stride=2, padding="VALID"),),
        _narrow(_chain("branch3x3dbl", (64, (1, 1)), (96, (3, 3)), (96, (3, 3)))),
        ("narrow",),
    ),
    "Mixed_6b": _block_17(128),
    "Mixed_6c": _block_17(160),
    "Mixed_6d": _block_17(160),
    "Mixed_6e": _block_17(192),
    "Mixed_7a": (
        _narrow(_chain("branch3x3", (192, (1, 1)), (320, (3, 3)))),
        _narrow(_chain("branch7x7x3", (192, (1, 1)), (192, (1, 7)), (192, (7, 1)), (192, (3, 3)))),
        ("narrow",),
    ),
    "Mixed_7b": _block_8("average"),
    "Mixed_7c": _block_8("maximum"),
}
POOLINGS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "average": lambda x: nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False),
    "maximum": lambda x: nn.max_pool(x, (3, 3), (1, 1), "SAME"),
    "narrow": lambda x: nn.max_pool(x, (3, 3), (2, 2), "VALID"),
}


class _Unit(nn.Module):
    unit: Unit

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        _, width, kernel, stride, padding = self.unit
        x = nn.Conv(width, kernel, (stride, stride), padding, use_bias=False, precision=PRECISION, name="conv")(x)
        return nn.relu(nn.BatchNorm(use_running_average=True, epsilon=0.001, name="bn")(x))


def _apply(branch: Branch, x: jax.Array) -> jax.Array:
    """Applies a branch. Its units become children of the calling module."""
    for stage in branch:
        if isinstance(stage, str):
            x = POOLINGS[stage](x)
        else:
            units = (stage,) if isinstance(stage, Unit) else stage
            x = jnp.concatenate([_Unit(unit, name=unit.name)(x) for unit in units], axis=-1)
    return x


class _Block(nn.Module):
    block: Block

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.concatenate([_apply(branch, x) for branch in self.block], axis=-1)


class _Linear(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (NUM_FEATURES, NUM_LOGITS))
        logits = jnp.dot(x, kernel, precision=PRECISION)
        return logits, logits + self.param("bias", nn.initializers.zeros, (NUM_LOGITS,))[None]


class InceptionV3(nn.Module):
    """float32 [N, 299, 299, 3] in [-1, 1) -> features of pool3 [N, 2048], logits [N, 1008] without and with bias."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        x = _apply(STEM, x)
        for name, block in BLOCKS.items():
            x = _Block(block, name=name)(x)
        features = x.mean(axis=(1, 2))
        return features, *_Linear(name="fc")(features)


@functools.cache
def template() -> Any:
    """Shapes and types of the variables."""
    return jax.eval_shape(InceptionV3().init, jax.random.key(0), jnp.zeros((1, IMAGE_SIZE, IMAGE_SIZE, 3)))


def _prepare(images: np.ndarray) -> jax.Array:
    """Resizes and scales images. Not one compiled program: so, pixels equal torch-fidelity's bit for bit."""
    images = jnp.broadcast_to(images, (*images.shape[:3], 3))
    return (resize_bilinear(images, IMAGE_SIZE, IMAGE_SIZE) - 128.0) / 128.0


@functools.cache
def _inference() -> Callable:
    """Compiled (variables, prepared images) -> features. Without the resizing, so that all sizes share one program."""
    return compiler.jit(InceptionV3().apply)


class InceptionFeatures(NamedTuple):
    """An extractor with Inception's features. name: name of the features in results."""

    variables: Any
    name: str = NAME
    with_bias: bool = False

    def __call__(self, images: np.ndarray, batch_size: int = 50) -> tuple[np.ndarray, np.ndarray]:
        """uint8 [N, H, W, 1 or 3] of any size -> float32 features of pool3 [N, 2048] and logits [N, 1008].

        The features are not negative. The logits are without the bias of the last layer unless `with_bias`, because
        the published Inception scores, also those of torch-fidelity, are defined without this bias.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape:
            raise ValueError(f"expected uint8 images [N, H, W, 1 or 3], got {images.dtype} {images.shape}")
        variables = jax.device_put(self.variables)

        def extract(index: int, batch: np.ndarray) -> tuple[jax.Array, jax.Array]:
            features, without_bias, biased = _inference()(variables, _prepare(batch))
            return features, biased if self.with_bias else without_bias

        return in_batches(extract, [images], batch_size)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Logits [N, K] -> their softmax in float64, for the classifier score."""
    logits = np.asarray(logits, np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
