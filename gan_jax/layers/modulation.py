"""What the norms of a generator can depend on: labels, or vectors that are made of z and of the label.

A generator calls one of these modules once, as (z, labels, num_blocks, train), and gives every norm the condition of
its block in the place of the labels.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.conditioning import LabelEmbedding
from gan_jax.system.errors import UserError


class Conditions(NamedTuple):
    """z [B, Z'] of the first layer, and the conditions of the norms: of each block, and of those after the last block.

    A condition is int [B], the labels; float [B, C]; or None, for a norm that depends on neither z nor the label.
    """

    z: jax.Array
    blocks: list[jax.Array]
    last: jax.Array | None


class LabelConditions(nn.Module):
    """z enters the first layer only, and every condition is the label."""

    def __call__(self, z: jax.Array, labels: jax.Array, num_blocks: int, train: bool) -> Conditions:
        del train
        return Conditions(z, [labels] * num_blocks, labels)


Z_PARTS = ("all", "chunks", "none")


class VectorConditions(nn.Module):
    """Every condition is a vector: a part of z, an embedding of the label that all blocks share, or both, appended.

    z_part: what a block gets of z. "all": z itself (arXiv 1810.01365). "chunks": z is split into equal parts, of which
        the first is the input of the first layer, and each block gets one of the others (BigGAN, arXiv 1809.11096,
        appendix B); norms after the last block get no condition. "none": nothing.
    features: length of the embedding; 0: conditions do not depend on the label. It starts as a kernel does.
    """

    num_classes: int
    z_part: str
    features: int
    smoothing: float
    kernel_init: Callable

    @nn.compact
    def __call__(self, z: jax.Array, labels: jax.Array, num_blocks: int, train: bool) -> Conditions:
        shared = []
        if self.features:
            shared = [LabelEmbedding(self.num_classes, self.features, self.kernel_init, self.smoothing)(labels, train)]
        if self.z_part == "chunks":
            first, *parts = self._chunks(z, num_blocks + 1)
            return Conditions(first, [jnp.concatenate([*shared, part], axis=-1) for part in parts], None)
        vector = jnp.concatenate(shared + ([z] if self.z_part == "all" else []), axis=-1)
        return Conditions(z, [vector] * num_blocks, vector)

    @staticmethod
    def _chunks(z: jax.Array, number: int) -> list[jax.Array]:
        size = z.shape[-1]
        if size % number:
            raise UserError(
                f"prior.features={size}: generator.norm_z=chunks splits z into {number} equal parts; set "
                f"--config.prior.features={-(-size // number) * number}"
            )
        # Slices can be exported to ONNX, `split` cannot (formats/onnx_operations.py).
        return [z[:, start : start + size // number] for start in range(0, size, size // number)]
