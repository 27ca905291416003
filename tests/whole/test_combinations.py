"""Random combinations of a system and three techniques train 20 steps on digits and stay finite."""

import jax
import numpy as np
import pytest

from gan_jax import build
from gan_jax.data.batches import BatchIndices, abstract_batches, batch_plan
from gan_jax.runs import initial_state
from gan_jax.semi_supervised import codistillation
from gan_jax.semi_supervised.labels import training_batches
from gan_jax.training.compiled_steps import compile_steps
from tests.systems import EVERYTHING, ROWS, resolve, specs
from tests.tiny import mnist_5k


def random_combination(index):
    """(system, three techniques, config) of a valid combination; index is the seed of the random draw."""
    rng = np.random.default_rng(index)
    while True:
        spec = specs()[rng.integers(len(specs()))]
        rows = [ROWS[i] for i in rng.choice(len(ROWS), 3, replace=False)]
        # Without "widths", which small forms set, and without the loss that is always 0 and changes nothing.
        names = [name for name, *_ in rows if name not in ("widths", "cross-entropy of one logit")]
        overrides = [override for name, row_overrides, *_ in rows if name in names for override in row_overrides]
        if config := resolve(spec, overrides):
            return spec, names, config


def assert_trains(config):
    dataset = mnist_5k()
    (data,) = training_batches(config, dataset, [config.seed])
    gan = build.build(config, dataset.image_shape, dataset.num_classes, config.num_steps)
    state = initial_state.init_state(
        gan, config.seed, initial_state.init_examples(data, config.seed, config.init_batch_size)
    )
    before = jax.tree.map(np.asarray, state.generator.params)
    call = compile_steps(gan, config.num_steps)
    indices = BatchIndices(batch_plan(config), config.seed, data)(0, config.num_steps)
    if config.d_loss.codistillation:  # Another network would give these probabilities.
        batches = abstract_batches(batch_plan(config), dataset.image_shape, labelled=False)
        shapes = codistillation.abstract_extras(gan, state, batches)
        extras = {
            name: np.full((config.num_steps, *leaf.shape), 1 / leaf.shape[-1], np.float32)
            for name, leaf in shapes.items()
        }
        indices = indices._replace(extras=extras)
    state, metrics = call(state, jax.device_put(data), indices, config.num_steps, jax.random.key(0))
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
    spec, names, config = random_combination(index)
    print(spec, names)
    assert_trains(config)


@pytest.mark.slow
def test_everything_at_once_trains():
    assert_trains(resolve("configs/acgan.py", EVERYTHING))
