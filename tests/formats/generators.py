"""Generators with random weights, of every network family, for the tests of the formats."""

import jax
import numpy as np

import gan_jax
from gan_jax import build
from gan_jax.formats.generator import Generator
from gan_jax.runs.initial_state import abstract_state
from gan_jax.runs.load import LoadedRun

SMALL = {
    "mlp": {"generator.widths": (12, 16), "discriminator.widths": (12,)},
    "dcgan": {"generator.widths": (8, 4), "discriminator.widths": (4, 8)},
    "r3gan": {"generator.widths": (16, 8), "discriminator.widths": (8,)},
    "resnet": {"generator.widths": (4, 4), "discriminator.widths": (4, 4)},
    "stylegan2": {"generator.widths": (8, 4), "discriminator.widths": (4,)},
}


def generator(spec, shape=(16, 16, 1), *, is_ema=True, scale=0.4, **changes):
    """A Generator (formats/generator.py) of three classes; its statistics are random, too."""
    family = gan_jax.config(spec).generator.family
    config = gan_jax.config(spec, **SMALL[family], **changes)
    gan = build.build(config, shape, 3, 100)
    rng = np.random.default_rng(0)

    def random(path, leaf):
        if not np.issubdtype(leaf.dtype, np.floating):
            return np.zeros(leaf.shape, leaf.dtype)
        values = rng.normal(size=leaf.shape).astype(leaf.dtype) * scale
        return abs(values) + 0.5 if "var" in jax.tree_util.keystr(path) else values

    state = jax.tree_util.tree_map_with_path(random, abstract_state(gan, config.init_batch_size, shape))
    data = {
        "used": "idx",
        "requested": "idx",
        "source": "IDX files",
        "source_folder": "/a/folder",
        "fingerprint": "0" * 8,
        "num_train": 12,
        "num_test": 6,
        "num_classes": 3,
        "image_shape": list(shape),
        "classes": ["cat", "dog", "other"],
    }
    info = {"data": data, "num_steps": 100, "status": "completed", "commit": "abc"}
    return Generator(LoadedRun(None, config, info, gan, state, 7), is_ema)
