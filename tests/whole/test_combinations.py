"""Random combinations of a system and three techniques train 20 steps on digits and stay finite."""

import functools

import jax
import numpy as np
import pytest

from gan_jax import build, cli
from gan_jax.data.batches import BatchIndices, batch_plan
from gan_jax.data.sources import load
from gan_jax.runs import initial_state
from gan_jax.semi_supervised.labels import training_batches
from gan_jax.system.errors import UserError
from gan_jax.training.compiled_steps import compile_steps
from tests.test_configs import specs
from tests.test_techniques import EVERYTHING, ROWS

# Small enough to compile and run in seconds; the rest of a system is its own.
SMALL = {
    "mlp": {"generator.widths": "32,48,64", "discriminator.widths": "64,48,32"},
    "dcgan": {"generator.widths": "16,8", "discriminator.widths": "8,16"},
    "resnet": {"generator.widths": "8,8", "discriminator.widths": "8,8,8,8"},
}
COMMON = {"num_epochs": 0, "num_steps": 20, "steps_per_call": 20, "batch_size": 16, "init_batch_size": 8}
DATA = {"data.name": "mnist_5k", "data.fallback": "", "data.image_size": 28, "data.channels": 1}


@functools.cache
def digits():
    return load("mnist_5k")


def resolve(spec, words):
    """The config, or None where the combination is refused."""
    family = cli.parse_config(spec, []).generator.family
    words = [*words, *(f"{key}={value}" for key, value in (COMMON | DATA | SMALL[family]).items())]
    config = cli.parse_config(spec, [f"--config.{word}" for word in words])
    try:
        build.build(config, (28, 28, 1), 10, 20)
    except UserError:
        return None
    return config


def draw(index):
    """(system, three techniques, config) of a combination that makes sense, from its own seed."""
    rng = np.random.default_rng(index)
    while True:
        spec = specs()[rng.integers(len(specs()))]
        rows = [ROWS[i] for i in rng.choice(len(ROWS), 3, replace=False)]
        # Widths are this test's own; the dead loss is finite and still.
        names = [name for name, *_ in rows if name not in ("widths", "cross-entropy of one logit")]
        words = [word for name, row_words, *_ in rows if name in names for word in row_words]
        if config := resolve(spec, words):
            return spec, names, config


def check(config):
    dataset = digits()
    (data,) = training_batches(config, dataset, [config.seed])
    gan = build.build(config, dataset.image_shape, dataset.num_classes, config.num_steps)
    state = initial_state.init_state(
        gan, config.seed, initial_state.init_examples(data, config.seed, config.init_batch_size)
    )
    before = jax.tree.map(np.asarray, state.generator.params)
    call = compile_steps(gan, config.num_steps)
    order = BatchIndices(batch_plan(config), config.seed, data)
    state, metrics = call(state, jax.device_put(data), order(0, config.num_steps), config.num_steps, jax.random.key(0))
    assert int(state.step) == config.num_steps
    for name, values in metrics.items():
        assert np.all(np.isfinite(values)), name
    changed = [
        not np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (before, state.generator.params)), strict=True)
    ]
    assert any(changed)
    images = np.asarray(jax.jit(gan.sample)(state, jax.random.key(1), np.arange(10)))
    assert images.shape == (10, 28, 28, 1)
    assert np.all(np.abs(images) <= 1)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(30))
def test_a_random_combination_trains(index):
    spec, names, config = draw(index)
    print(spec, names)
    check(config)


@pytest.mark.slow
def test_everything_at_once_trains():
    check(resolve("configs/acgan.py", EVERYTHING))
