"""Normalization layers, all called as `norm(x, labels, train)`, for vectors [B, C] and images [B, H, W, C].

A network gets a factory of norms and does not depend on their kind. Every norm ends with an offset per channel and,
unless `gain` is False, a gain per channel. In conditional norms, gain and offset depend on the label. Modulated norms,
which only a generator can have, get a vector of each example in the place of the label (layers/modulation.py).
"""

import math
from collections.abc import Callable
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.affine import Affine, ConditionalAffine, ModulatedAffine, around_one, on_channels
from gan_jax.layers.kernel_norms import plain
from gan_jax.system.errors import UserError


class Identity(nn.Module):
    """No normalization."""

    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del labels, train
        return x


class BatchNorm(nn.Module):
    """Batch normalization (arXiv 1502.03167): per-channel moments over the batch and all positions.

    momentum: the DECAY of the running moments, r <- momentum * r + (1 - momentum) * batch. PyTorch's `momentum` is
    1 - momentum. The running variance divides by N; that of PyTorch divides by N - 1.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    gain: bool = True
    scale_stddev: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del labels
        return nn.BatchNorm(
            use_running_average=not train,
            momentum=self.momentum,
            epsilon=self.epsilon,
            use_scale=self.gain,
            scale_init=around_one(self.scale_stddev),
        )(x)


def _plain_batch_norm(momentum: float, epsilon: float, train: bool) -> nn.Module:
    """Batch normalization without a gain and an offset."""
    return nn.BatchNorm(
        use_running_average=not train, momentum=momentum, epsilon=epsilon, use_scale=False, use_bias=False
    )


class ConditionalBatchNorm(nn.Module):
    """Batch normalization with a gain and an offset per class (arXiv 1610.07629; in GANs, arXiv 1802.05637)."""

    num_classes: int
    momentum: float = 0.9
    epsilon: float = 1e-5
    scale_stddev: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        norm = _plain_batch_norm(self.momentum, self.epsilon, train)
        return ConditionalAffine(self.num_classes, self.scale_stddev)(norm(x), labels)


class _ModulatedBatchNorm(nn.Module):
    """Batch normalization whose gain and offset are functions of a vector of each example (ModulatedAffine).

    Without a vector (None), it is ordinary batch normalization.
    """

    kernel_init: Callable
    kernel_norm: Callable = plain
    momentum: float = 0.9
    epsilon: float = 1e-5
    scale_stddev: float = 0.0
    units: ClassVar[int] = 0

    @nn.compact
    def __call__(self, x: jax.Array, vector: jax.Array | None, train: bool) -> jax.Array:
        if vector is None:
            return BatchNorm(self.momentum, self.epsilon, scale_stddev=self.scale_stddev)(x, vector, train)
        if vector.ndim != 2:
            raise UserError("this family of networks gives its norms labels, and no vectors of z; set another norm")
        norm = _plain_batch_norm(self.momentum, self.epsilon, train)
        return ModulatedAffine(self.units, self.kernel_init, self.kernel_norm)(norm(x), vector, train)


class SelfModulatedBatchNorm(_ModulatedBatchNorm):
    """Gain and offset are networks of one hidden layer of `units` entries (arXiv 1810.01365)."""

    units: int = 32


class SharedConditionalBatchNorm(_ModulatedBatchNorm):
    """Gain and offset are linear maps of an embedding of the label that all layers share, or of z, or of both.

    The norm of BigGAN (arXiv 1809.11096, appendix B).
    """


def _standardize(x: jax.Array, groups: int, epsilon: float) -> jax.Array:
    """(x - mean) / sqrt(var + epsilon), with moments of each example and each of `groups` equal groups of channels."""
    if x.shape[-1] % groups:
        raise UserError(f"norm_groups={groups} does not divide {x.shape[-1]} channels; set a divisor of every width")
    if math.prod(x.shape[1:]) == groups:
        raise UserError(f"{groups} groups of a layer of {groups} values: norms of one value give 0; set another norm")
    y = x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
    mean, variance = jnp.mean(y, axis=(1, 3), keepdims=True), jnp.var(y, axis=(1, 3), keepdims=True)
    return ((y - mean) * jax.lax.rsqrt(variance + epsilon)).reshape(x.shape)


def _standardize_instances(x: jax.Array, epsilon: float) -> jax.Array:
    return _standardize(x, 1 if x.ndim == 2 else x.shape[-1], epsilon)


class LayerNorm(nn.Module):
    """Layer normalization (arXiv 1607.06450): moments of each example over all positions and channels."""

    epsilon: float = 1e-5
    gain: bool = True
    scale_stddev: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del labels, train
        return Affine(self.gain, self.scale_stddev)(_standardize(x, 1, self.epsilon))


class GroupNorm(nn.Module):
    """Group normalization (arXiv 1803.08494): moments of each example and group of channels over all positions.

    With one group it is layer norm. With as many groups as channels it is instance norm.
    """

    groups: int = 8
    epsilon: float = 1e-5
    gain: bool = True
    scale_stddev: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del labels, train
        return Affine(self.gain, self.scale_stddev)(_standardize(x, self.groups, self.epsilon))


class InstanceNorm(nn.Module):
    """Instance normalization (arXiv 1607.08022): moments of each example and channel over all positions.

    A vector has only one position. So its moments are over its entries, as in PyTorch's InstanceNorm1d for an array
    [B, F]. This is layer norm. Both have a gain and an offset here.
    """

    epsilon: float = 1e-5
    gain: bool = True
    scale_stddev: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del labels, train
        return Affine(self.gain, self.scale_stddev)(_standardize_instances(x, self.epsilon))


class ConditionalInstanceNorm(nn.Module):
    """Instance normalization with a gain and an offset per class (arXiv 1610.07629, eq. 5)."""

    num_classes: int
    epsilon: float = 1e-5
    scale_stddev: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del train
        return ConditionalAffine(self.num_classes, self.scale_stddev)(_standardize_instances(x, self.epsilon), labels)


class VirtualBatchNorm(nn.Module):
    """Virtual batch normalization (Salimans et al. 2016, arXiv 1606.03498, section 3.5).

    The first R = `reference_size` rows of x are a fixed reference batch (see layers/reference.py). Each moment (mean or
    mean square per channel, over all positions) of an example is (m + R * m_ref) / (R + 1), with m its own moment and
    m_ref that of the reference batch. Rows of the reference use m_ref alone. So the output for an example depends on
    the reference and on the example, but not on the other examples of its batch.
    """

    reference_size: int
    epsilon: float = 1e-5
    gain: bool = True
    scale_stddev: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del labels, train
        size, positions = self.reference_size, tuple(range(1, x.ndim - 1))
        moments = [jnp.mean(power, axis=positions) for power in (x, x**2)]  # [R + B, C] each
        of_reference = [jnp.mean(moment[:size], axis=0, keepdims=True) for moment in moments]
        weight = jnp.where(jnp.arange(len(x)) < size, 0.0, 1.0 / (size + 1))[:, None]
        mean, square = (weight * m + (1.0 - weight) * m_ref for m, m_ref in zip(moments, of_reference, strict=True))
        # Rounding can make a variance slightly negative.
        inverse = jax.lax.rsqrt(jnp.maximum(square - mean**2, 0.0) + self.epsilon)
        return Affine(self.gain, self.scale_stddev)((x - on_channels(mean, x)) * on_channels(inverse, x))


# networks/build.py passes to each norm the settings that it has as fields.
NORMS = {
    "none": Identity,
    "batch": BatchNorm,
    "conditional_batch": ConditionalBatchNorm,
    "conditional_instance": ConditionalInstanceNorm,
    "group": GroupNorm,
    "instance": InstanceNorm,
    "layer": LayerNorm,
    "self_modulated": SelfModulatedBatchNorm,
    "shared_conditional_batch": SharedConditionalBatchNorm,
    "virtual_batch": VirtualBatchNorm,
}

# Norms whose output for an image depends on the other images of the batch.
BATCH_NORMS = ("batch", "conditional_batch", "self_modulated", "shared_conditional_batch")
# Norms whose output depends on the label.
CONDITIONAL_NORMS = ("conditional_batch", "conditional_instance")
# Norms whose output depends on vectors of z and of the label.
MODULATED_NORMS = ("self_modulated", "shared_conditional_batch")
