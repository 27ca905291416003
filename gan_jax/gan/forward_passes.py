"""Forward passes of several batches through the discriminator: one pass for each batch, or one for all batches."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.gan.types import Batch, DiscriminatorOutput


def separate_passes(
    discriminate: Callable, batches: list[Batch], key: jax.Array
) -> tuple[list[DiscriminatorOutput], Any]:
    """(D's output for each batch, D's statistics after the pass of the first batch)."""
    keys = jax.random.split(key, len(batches))
    passes = [discriminate(batch.images, batch.labels, pass_key) for batch, pass_key in zip(batches, keys, strict=True)]
    return [output for output, _ in passes], passes[0][1]


def single_pass(discriminate: Callable, batches: list[Batch], key: jax.Array) -> tuple[list[DiscriminatorOutput], Any]:
    """The same in one forward pass. The rows of the batches alternate, so that every row stays on its device."""
    num_batches = len(batches)

    def merge(*leaves):
        return jnp.stack(leaves, axis=1).reshape(-1, *leaves[0].shape[1:])

    images, labels = jax.tree.map(merge, *((batch.images, batch.labels) for batch in batches))
    merged, stats = discriminate(images, labels, key)
    rows = jax.tree.map(lambda leaf: leaf.reshape(-1, num_batches, *leaf.shape[1:]), merged)
    return [jax.tree.map(lambda leaf, i=i: leaf[:, i], rows) for i in range(num_batches)], stats
