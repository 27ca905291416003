"""Where a run's state comes from: its keys, the untrained state, a checkpoint."""

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.dataset import to_float
from gan_jax.gan.types import Batch, Gan, GanState
from gan_jax.runs.checkpoint import Checkpoints


def keys(seed: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(init, step, sample) keys of a run."""
    return tuple(jax.random.split(jax.random.key(seed), 3))


def init_state(gan: Gan, config: ConfigDict, image_shape: tuple[int, ...], real: Batch | None = None) -> GanState:
    """The untrained state. `real`: what it depends on where a start depends on data; without, only its shapes hold."""
    size = config.init_batch_size
    if real is None:
        real = Batch(jnp.zeros((size, *image_shape)), jnp.zeros((size,), jnp.int32))
    return jax.jit(gan.init)(keys(config.seed)[0], real)


def examples(config: ConfigDict, data: Batch) -> Batch:
    """Training images that starts depend on: the same for the same seed."""
    chosen = np.random.default_rng([config.seed, 0, 2]).integers(0, len(data.labels), config.init_batch_size)
    return Batch(to_float(data.images[chosen]), data.labels[chosen])


def restore(
    checkpoints: Checkpoints, gan: Gan, config: ConfigDict, image_shape: tuple[int, ...], step: int | None = None
) -> tuple[int, GanState | None]:
    """(step, state) of the checkpoint of `step`, by default the newest, or (0, None) where there is none."""
    if not checkpoints.steps():
        return 0, None
    step = checkpoints.steps()[-1] if step is None else step
    return step, checkpoints.restore(step, jax.eval_shape(lambda: init_state(gan, config, image_shape)))
