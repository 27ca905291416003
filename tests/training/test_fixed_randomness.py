"""Sources of randomness that are the same for every seed: config.fixed_randomness."""

import itertools

import jax
import numpy as np
import pytest

from gan_jax.data.batches import BatchIndices, batch_plan
from gan_jax.gan.types import Batch
from gan_jax.runs.load import load_run
from gan_jax.system import config as configs
from gan_jax.system import randomness
from gan_jax.system.errors import UserError
from gan_jax.training import session
from gan_jax.training.programs import step_key
from tests.tiny import rows

DATA = Batch(np.zeros((20, 4, 4, 1), np.uint8), np.zeros(20, np.int32))
# Every source, and every pair of them.
FIXED = ["", *(",".join(names) for n in (1, 2) for names in itertools.combinations(randomness.SOURCES, n))]


@pytest.mark.parametrize("fixed", FIXED)
def test_order_and_draws_of_two_seeds(fixed):
    config = configs.defaults()
    configs.override(config, {"fixed_randomness": fixed, "batch_size": 5})
    plan = batch_plan(config)
    first, second = (BatchIndices(plan, seed, DATA)(0, 4).images for seed in (1, 2))
    assert np.array_equal(first, second) == ("order" in fixed)
    first, second = (jax.random.key_data(step_key(seed, plan)) for seed in (1, 2))
    assert np.array_equal(first, second) == ("draws" in fixed)


@pytest.mark.parametrize(("fixed", "message"), [("inits", "did you mean init"), ("init,order,draws", "the same run")])
def test_mistakes(fixed, message):
    config = configs.defaults()
    configs.override(config, {"fixed_randomness": fixed})
    with pytest.raises(UserError, match=message):
        batch_plan(config)


@pytest.mark.thorough
@pytest.mark.parametrize("fixed", ["init,order", "order,draws"])
def test_two_seeds_differ_by_the_source_that_is_left(config, tmp_path, fixed):
    """With learning rates of 0, the parameters stay those of the start: equal if `init` is fixed."""
    rates = {"d_optimizer.learning_rate": 0.0, "g_optimizer.learning_rate": 0.0, "generator.ema_decay": 0.0}
    configs.override(config, rates | {"fixed_randomness": fixed, "num_steps": 2, "num_seeds": 2, "log_every_steps": 1})
    session.train(config, str(tmp_path / "run"))
    paths = [tmp_path / "run" / f"seed-{seed}" for seed in (config.seed, config.seed + 1)]
    a, b = (jax.tree.leaves(load_run(str(path)).state.generator.params) for path in paths)
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True)) == ("init" in fixed)
    first, second = (rows(path)[0]["d_loss"] for path in paths)
    assert first != second
