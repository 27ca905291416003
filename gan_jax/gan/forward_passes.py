"""Several batches through the discriminator: one forward pass each, or one for all of them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.gan.types import Batch, DiscriminatorOutput


def separate_passes(
    discriminate: Callable, batches: list[Batch], key: jax.Array
) -> tuple[list[DiscriminatorOutput], Any]:
    """D's output for each batch, and D's statistics after the first."""
    keys = jax.random.split(key, len(batches))
    passes = [discriminate(batch.images, batch.labels, own) for batch, own in zip(batches, keys, strict=True)]
    return [output for output, _ in passes], passes[0][1]


def single_pass(discriminate: Callable, batches: list[Batch], key: jax.Array) -> tuple[list[DiscriminatorOutput], Any]:
    """The same by one forward pass. Rows of the batches alternate, so that each device of several keeps its own."""
    number = len(batches)

    def merge(*leaves):
        return jnp.stack(leaves, axis=1).reshape(-1, *leaves[0].shape[1:])

    images, labels = jax.tree.map(merge, *((batch.images, batch.labels) for batch in batches))
    merged, stats = discriminate(images, labels, key)
    rows = jax.tree.map(lambda leaf: leaf.reshape(-1, number, *leaf.shape[1:]), merged)
    return [jax.tree.map(lambda leaf, i=i: leaf[:, i], rows) for i in range(number)], stats
