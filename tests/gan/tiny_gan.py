"""A tiny GAN, its batches, and a comparison of two trees bit by bit."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import build
from gan_jax.gan.types import Batch
from gan_jax.runs import initial_state
from gan_jax.system import config as configs

SHAPE, CLASSES, SIZE = (8, 8, 1), 3, 6
SMALL = {
    "generator.widths": (8, 8),
    "discriminator.widths": (8, 8),
    "generator.conditioning": "concat",
    "generator.norm": "batch",
    "generator.ema_decay": 0.9,
    "batch_size": SIZE,
    "num_steps": 5,
}


def make(**changes):
    config = configs.load("configs/default.py")
    configs.override(config, SMALL | {key.replace("__", "."): value for key, value in changes.items()})
    gan = build.build(config, SHAPE, CLASSES, 5)
    return gan, initial_state.init_state(gan, config.seed, initial_state.blank_examples(config.init_batch_size, SHAPE))


def batches(d_steps=1, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.uniform(-1, 1, (d_steps, SIZE, *SHAPE)).astype(np.float32)
    return Batch(jnp.asarray(images), jnp.asarray(rng.integers(0, CLASSES, (d_steps, SIZE)), jnp.int32))


def equal(a, b):
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(np.array_equal(x, y) for x, y in leaves)
