"""Several seeds of one config: each equals the run of that seed alone, with either program."""

import json

import numpy as np
import pytest

from gan_jax import evaluate, main, sample
from gan_jax.runs import seeds
from gan_jax.system import config as configs
from gan_jax.system.errors import TrainingFailed, UserError
from gan_jax.training import programs, recorder, session
from tests.tiny import arrays, rows, run, train_killed_between_saves

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def two_seeds(config):
    configs.override(config, {"num_seeds": 2, "seed": 3})
    return config


def train_alone(config, seed, path):
    configs.override(config, {"num_seeds": 1, "seed": seed})
    session.train(config, str(path))


@pytest.mark.thorough
def test_with_sequential_seeds_each_seed_equals_a_single_run(two_seeds, tmp_path):
    session.train(two_seeds, str(tmp_path / "many"))
    for seed in (3, 4):
        train_alone(two_seeds, seed, tmp_path / f"alone-{seed}")
        path = tmp_path / "many" / f"seed-{seed}"
        assert rows(path) == rows(tmp_path / f"alone-{seed}")
        assert len(rows(path)) == 7
        (step, a), (single_step, b) = arrays(path), arrays(tmp_path / f"alone-{seed}")
        assert step == single_step == 7
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
        assert json.loads((path / "run.json").read_text())["status"] == "completed"
    assert json.loads((tmp_path / "many" / "run.json").read_text())["status"] == "completed"


@pytest.mark.thorough
@pytest.mark.parametrize("labels", [pytest.param(0, marks=pytest.mark.slow), 6])
def test_with_vmapped_seeds_each_seed_equals_a_single_run_to_rounding(two_seeds, tmp_path, monkeypatch, labels):
    """Also if each seed has a label subset of its own."""
    changes = {"num_steps": 20, "g_optimizer.name": "momentum", "d_optimizer.name": "momentum"}
    if labels:
        changes |= {"data.num_labels": labels, "discriminator.conditioning": "none", "discriminator.head": "class"}
        changes |= {"d_loss.classification": 1.0}
    configs.override(two_seeds, changes)
    monkeypatch.setattr(
        programs, "choose_program", lambda n, *_: programs.VmappedSeeds if n > 1 else programs.SequentialSeeds
    )
    session.train(two_seeds, str(tmp_path / "many"))
    train_alone(two_seeds, 4, tmp_path / "alone")
    assert rows(tmp_path / "alone")[-1]["step"] == 20
    for actual, expected in zip(rows(tmp_path / "many" / "seed-4"), rows(tmp_path / "alone"), strict=True):
        assert actual == pytest.approx(expected, rel=1e-3, abs=1e-5)
    for actual, expected in zip(arrays(tmp_path / "many" / "seed-4")[1], arrays(tmp_path / "alone")[1], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.thorough
def test_a_resumed_run_of_many_seeds_equals_the_uninterrupted_one(two_seeds, tmp_path, monkeypatch):
    """Killed after one seed has saved step 6 and before the other has: both resume from step 3."""
    session.train(two_seeds, str(tmp_path / "uninterrupted"))
    train_killed_between_saves(two_seeds, tmp_path / "resumed", monkeypatch)
    for seed in ("seed-3", "seed-4"):
        assert rows(tmp_path / "uninterrupted" / seed) == rows(tmp_path / "resumed" / seed)
        assert len(rows(tmp_path / "resumed" / seed)) == 7


@pytest.mark.thorough
def test_a_failed_seed_does_not_stop_the_others(two_seeds, tmp_path, monkeypatch, capsys):
    """Seed 4 fails at step 5, seed 3 continues, and the next command changes neither. Alone, seed 4 is an error."""
    check = recorder.Recorder._check

    def fail_seed_4(self, step, values):
        if self.status.seed == 4 and step == 5:
            self._fail(TrainingFailed("seed 4 is unlucky"), step)
        check(self, step, values)

    monkeypatch.setattr(recorder.Recorder, "_check", fail_seed_4)
    path = tmp_path / "many"
    session.train(two_seeds, str(path))
    assert "seed 4: seed 4 is unlucky" in capsys.readouterr().out
    statuses = lambda: {s: json.loads((path / s / "run.json").read_text())["status"] for s in ("seed-3", "seed-4")}  # noqa: E731
    assert statuses() == {"seed-3": "completed", "seed-4": "diverged"}
    assert rows(path / "seed-4")[-1]["step"] == 5
    assert rows(path / "seed-3")[-1]["step"] == 7
    session.train(two_seeds, str(path))
    assert statuses() == {"seed-3": "completed", "seed-4": "diverged"}
    with pytest.raises(TrainingFailed, match="unlucky"):
        train_alone(two_seeds, 4, tmp_path / "alone")


@pytest.mark.thorough
def test_scores_of_many_seeds(two_seeds, overrides, idx_folder, tmp_path, quick_classifier, capsys):
    path, cache = tmp_path / "many", tmp_path / "cache"
    overrides = [*overrides, "--config.num_seeds=2", "--config.eval.at_end=true", "--config.eval.at_end_num_images=12"]
    assert run(main, "--config", "configs/cgan.py", "--workdir", path, "--data_dir", cache, *overrides) == 0
    printed = capsys.readouterr().out
    assert "2 seeds" in printed
    summary = json.loads((path / "evaluation-12_images.json").read_text())
    each = [json.loads((path / f"seed-{s}" / "evaluation-12_images.json").read_text()) for s in (0, 1)]
    values = [result["frechet_distance"] for result in each]
    assert summary["frechet_distance"] == pytest.approx(np.mean(values))
    assert summary["frechet_distance_over_seeds"] == pytest.approx(np.std(values, ddof=1))
    assert [result["frechet_distance"] for result in summary["seeds"]] == values
    assert run(evaluate, "--workdir", path, "--num_images", 12, "--data_dir", cache) == 0
    assert run(sample, "--workdir", path) == 2
    assert "seed-0" in capsys.readouterr().err


def test_num_seeds_and_common_step(two_seeds, tmp_path):
    configs.override(two_seeds, {"num_seeds": 0})
    with pytest.raises(UserError, match="num_seeds=0: must be at least 1"):
        session.train(two_seeds, str(tmp_path))
    assert seeds.common_step([[3, 6], [3]]) == 3
    assert seeds.common_step([[3], [6]]) == seeds.common_step([[], [3]]) == 0
