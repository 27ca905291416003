"""Runs that start from the last state of others."""

import shutil

import jax
import numpy as np
import pytest

from gan_jax import main
from gan_jax.runs.init_from import read_origins
from gan_jax.runs.load import load_run
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import session
from tests.tiny import rows, run

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def origins(source, config, path):
    """What a run in `path` would start from, without training."""
    image_shape = load_run(str(source)).image_shape
    gan = session.build(config, image_shape, 3, 7)
    return read_origins(str(source), Workdir(str(path)), config, gan, image_shape)


# DCGAN-tensorflow 201, stylegan3 159: another learning rate from the last state.
@pytest.mark.thorough
def test_a_new_run_starts_from_the_last_state_of_another(finished_run, tmp_path, overrides):
    (source, _), path = finished_run, tmp_path / "new"
    arguments = [*overrides, "--config.g_optimizer.learning_rate=0.5", "--config.num_steps=2"]
    command = [main, "--config", "configs/cgan.py", "--workdir", path, *arguments]
    assert run(*command, "--init_from", source) == 0
    record = Workdir(str(path)).run()["init_from"]
    assert (record["path"], record["step"]) == (str(source), 7)
    started = rows(path)
    shutil.rmtree(path / "checkpoints")
    shutil.rmtree(source)
    assert run(*command) == 0  # From step 0 again: the run has the state that it needs.
    assert rows(path) == started
    assert run(*command, "--init_from", source) == 0  # The same flag again.
    assert run(*command, "--init_from", tmp_path / "other") == 2


def test_the_state_is_that_of_the_other_run(finished_run, tmp_path):
    source, config = finished_run
    configs.override(config, {"g_optimizer.name": "sgd", "discriminator.ema_decay": 0.9, "d_optimizer.clip_norm": 1.0})
    old, origin = load_run(str(source)).state, origins(source, config, tmp_path / "new")[0]
    new = origin.state
    assert int(new.step) == 0
    for ours, theirs in (
        (new.generator.params, old.generator.params),
        (new.generator.ema, old.generator.ema),
        (new.discriminator.ema["params"], old.discriminator.params),
        (new.discriminator.opt_state[1].mu, old.discriminator.opt_state[0].mu),
    ):
        assert jax.tree.all(jax.tree.map(np.array_equal, ours, theirs))
    assert int(new.discriminator.opt_state[-1].count) == 0 < int(old.discriminator.opt_state[-1].count)
    assert origin.record["optimizer_moments"] == {"generator": False, "discriminator": True}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"generator.widths": (8, 9)},
            r"its generator is another network; undo: generator.widths: \(8, 8\) -> \(8, 9\)",
        ),
        ({"prior.features": 7}, "its generator is another network; undo: prior.features: 100 -> 7"),
        ({"discriminator.kernel_norm": "spectral"}, "undo: discriminator.kernel_norm: none -> spectral"),
    ],
)
def test_networks_that_do_not_fit_are_refused(finished_run, tmp_path, changes, message):
    source, config = finished_run
    configs.override(config, changes)
    with pytest.raises(UserError, match=f"--init_from={source}.*{message}"):
        session.train(config, str(tmp_path / "new"), "", str(source))
    assert not (tmp_path / "new").exists()


@pytest.mark.thorough
def test_places_that_are_no_origin_are_refused(finished_run, copy_of_run, tmp_path):
    source, config = finished_run
    copy_of_run(tmp_path / "seeds", num_seeds=2, num_steps=1)
    shutil.copytree(source, tmp_path / "empty", ignore=shutil.ignore_patterns("checkpoints"))
    (tmp_path / "nothing").mkdir()
    configs.override(config, {"seed": 5})
    for origin, message in (
        (tmp_path / "nothing", "--init_from=.*nothing holds no run"),
        (tmp_path / "empty", "--init_from=.*empty has no checkpoint yet"),
        (tmp_path / "seeds", "holds seeds 0 to 1, and this run trains seed 5; .*--init_from=.*seeds/seed-0$"),
        (tmp_path / "new", "--init_from=.*new is the workdir of this run; to continue it, leave out --init_from"),
    ):
        with pytest.raises(UserError, match=message):
            session.train(config, str(tmp_path / "new"), "", str(origin))
        assert not (tmp_path / "new").exists()
    configs.override(config, {"seed": 0})
    with pytest.raises(UserError, match="holds a run that did not start from another one; leave out --init_from"):
        session.train(config, str(source), "", str(tmp_path / "seeds"))


@pytest.mark.thorough
def test_seeds_start_from_the_same_seeds_or_all_from_one(finished_run, copy_of_run, tmp_path):
    source, config = finished_run
    copy_of_run(tmp_path / "seeds", num_seeds=2, num_steps=1)
    configs.override(config, {"num_seeds": 2, "num_steps": 1})
    session.train(config, str(tmp_path / "each"), "", str(tmp_path / "seeds"))
    session.train(config, str(tmp_path / "one"), "", str(source))
    paths = {seed: [str(tmp_path / name / f"seed-{seed}") for name in ("each", "one")] for seed in (0, 1)}
    each, one = zip(
        *([Workdir(path).run()["init_from"]["sha256"] for path in paths[seed]] for seed in (0, 1)), strict=True
    )
    assert each[0] != each[1]
    assert one[0] == one[1]
    configs.override(config, {"num_seeds": 3})  # Another seed, from the same state.
    session.train(config, str(tmp_path / "one"))
    assert Workdir(str(tmp_path / "one" / "seed-2")).run()["init_from"]["sha256"] == one[0]
    with pytest.raises(UserError, match="holds seeds 0 to 1, and this run trains seed 2"):
        session.train(config, str(tmp_path / "each"))
