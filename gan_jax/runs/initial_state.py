"""The state of a run before its next step: random keys, the untrained state, or the state of a checkpoint."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.dataset import to_float
from gan_jax.gan.step import Gan
from gan_jax.gan.types import Batch, GanState
from gan_jax.runs.checkpoint import Checkpoints


class Keys(NamedTuple):
    """The three random keys of a run: for the initial state, for the steps, and for the sample grids."""

    init: jax.Array
    step: jax.Array
    sample: jax.Array


def keys(seed: int) -> Keys:
    return Keys(*jax.random.split(jax.random.key(seed), 3))


def init_examples(data: Batch, seed: int, size: int) -> Batch:
    """`size` random training images for the layers whose initial state depends on data; a function of the seed."""
    chosen = np.random.default_rng([seed, 0, 2]).integers(0, len(data.labels), size)
    return Batch(to_float(data.images[chosen]), data.labels[chosen])


def blank_examples(size: int, image_shape: tuple[int, ...]) -> Batch:
    """Examples of the same shapes, all zeros."""
    return Batch(jnp.zeros((size, *image_shape)), jnp.zeros((size,), jnp.int32))


def init_state(gan: Gan, seed: int, examples: Batch) -> GanState:
    """The untrained state of a seed."""
    return jax.jit(gan.init)(keys(seed).init, examples)


def abstract_state(gan: Gan, size: int, image_shape: tuple[int, ...]) -> GanState:
    """The shapes and types of a state. size: number of example images (config.init_batch_size)."""
    return jax.eval_shape(lambda: init_state(gan, 0, blank_examples(size, image_shape)))


def restore(checkpoints: Checkpoints, like: GanState, step: int | None = None) -> tuple[int, GanState | None]:
    """(step, state) of the checkpoint of `step`, by default the newest; (0, None) if there is no checkpoint.

    like: shapes and types of the state, from `abstract_state`.
    """
    if not checkpoints.steps():
        return 0, None
    step = checkpoints.steps()[-1] if step is None else step
    return step, checkpoints.restore(step, like)
