"""The guard alone, and in a run that collapses."""

import contextlib
import json

import pytest

from gan_jax.system import config as configs
from gan_jax.system.errors import Collapsed, TrainingFailed, UserError
from gan_jax.training import session
from gan_jax.training.guard import Guard, make_guard
from tests.tiny import rows

FINE = {"d_loss": 1.0, "g_loss": 1.0, "g_pixel_std": 0.5}


def guard(**changes):
    return Guard(**{"steps": 3, "d_loss": 1e-3, "pixel_std": 1e-2, "nonfinite": True, "zero_means_won": True} | changes)


@pytest.mark.parametrize("symptom", [{"d_loss": 1e-4}, {"g_pixel_std": 1e-3}, {"d_loss": 2.0, "d_adversarial": 1e-4}])
def test_a_symptom_must_last(symptom):
    watch = guard()
    for step, values in enumerate([symptom, symptom, {}, {}, {}, symptom, symptom]):
        watch.check(step, FINE | values)
        assert watch.suspicious == bool(values)
    with pytest.raises(Collapsed, match="for 3 steps and more, up to step 7") as error:
        watch.check(7, FINE | symptom)
    assert (error.value.exit_code, error.value.status) == (3, "collapsed")


@pytest.mark.parametrize(("every", "collapsed"), [(10, True), (3, True), (2, False)])
def test_a_rare_step_above_the_bound_does_not_hide_a_collapse(every, collapsed):
    watch = guard(steps=500)

    def run():
        for step in range(3000):
            watch.check(step, FINE | ({"d_loss": 1e-5} if step % every else {}))

    with pytest.raises(Collapsed) if collapsed else contextlib.nullcontext():
        run()


def test_two_symptoms_are_counted_separately():
    watch = guard(steps=2)
    watch.check(0, FINE | {"d_loss": 1e-4})
    watch.check(1, FINE | {"g_pixel_std": 1e-3})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["d_loss", "g_loss"])
def test_a_loss_that_is_not_finite_ends_the_run_at_once(name, value):
    with pytest.raises(TrainingFailed, match="not finite at step 7") as error:
        guard().check(7, FINE | {name: value})
    assert error.value.status == "diverged"
    guard(nonfinite=False).check(7, FINE | {name: value})


@pytest.mark.parametrize("off", [{"d_loss": 0.0}, {"zero_means_won": False}])
def test_a_check_that_is_off_ends_no_run(off):
    watch = guard(steps=1, **off)
    watch.check(0, FINE | {"d_loss": 0.0})
    watch.check(1, FINE | {"d_loss": -5.0})
    with pytest.raises(Collapsed):
        watch.check(2, FINE | {"g_pixel_std": 0.0})


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_small_classification_loss_is_no_collapse(weight):
    config = configs.load("configs/improved_mnist.py")
    configs.override(config, {"d_loss.adversarial": weight, "guard.steps": 1})
    with contextlib.nullcontext() if weight == 0 else pytest.raises(Collapsed):
        make_guard(config).check(0, FINE | {"d_loss": 1e-5})


@pytest.mark.parametrize("changes", [{"steps": 0}, {"d_loss": -1.0}, {"pixel_std": -1.0}])
def test_refusals(changes):
    with pytest.raises(UserError, match=f"guard.{next(iter(changes))}="):
        guard(**changes)


def test_a_collapse_ends_the_run(config, tmp_path):
    """G's images hardly differ at any step: status, exit code, last good checkpoint and rows of metrics."""
    path = tmp_path / "run"
    changes = {"guard.steps": 5, "guard.pixel_std": 10.0, "num_steps": 300, "checkpoint_every_steps": 2}
    configs.override(config, changes)
    with pytest.raises(Collapsed, match="The last checkpoint is step 0") as error:
        session.train(config, str(path))
    assert error.value.exit_code == 3
    assert "\n" not in str(error.value)
    assert json.loads((path / "run.json").read_text())["status"] == "collapsed"
    assert [row["step"] for row in rows(path)] == [1, 2, 3, 4, 5]
    assert not list((path / "checkpoints").glob("*/manifest.json")), "no checkpoint during a collapse"
