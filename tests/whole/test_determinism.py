"""The same config and seed give the same metrics and arrays, bit for bit on one thread: docs/reliability.md."""

import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from gan_jax.system import config as configs
from gan_jax.training import session
from tests.systems import resolve, specs
from tests.tiny import arrays, one_core, rows

CHANGES = {
    "num_steps": 6,
    "steps_per_call": 2,
    "log_every_steps": 1,
    "checkpoint_every_steps": 2,
    "sample_every_steps": 0,
    "eval.every_steps": 0,
    "eval.at_end": False,
}


def run(spec, path, **changes):
    """Trains a small form of a system."""
    config = resolve(spec, [])
    # The digits are fewer than some configs' labelled images.
    few = {"data.num_labels": min(config.data.num_labels, 100)}
    configs.override(config, few | CHANGES | changes)
    session.train(config, str(path))


def work(spec, folder):
    """In a process of its own: once more, in calls of another length, and from the middle."""
    folder = pathlib.Path(folder)
    run(spec, folder / "again")
    run(spec, folder / "calls", steps_per_call=6)
    shutil.copytree(folder / "again", folder / "resumed")
    for step in ("4", "6"):
        shutil.rmtree(folder / "resumed" / "checkpoints" / step)
    run(spec, folder / "resumed")


def alone(code):
    """Runs Python on one processor."""
    done = subprocess.run([*one_core(), sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def marked(spec):
    """Systems with the other long tests, their variants with those that take longer still."""
    return pytest.param(spec, marks=pytest.mark.slow if ":" in spec else pytest.mark.faults)


@pytest.mark.parametrize("spec", [marked(spec) for spec in specs()])
def test_the_same_twice(spec, tmp_path):
    of_this = "from tests import settings; settings.apply(); from tests.whole import test_determinism as test; test"
    alone(f"{of_this}.run({spec!r}, {str(tmp_path / 'once')!r})")
    alone(f"{of_this}.work({spec!r}, {str(tmp_path)!r})")
    expected, (step, ours) = rows(tmp_path / "once"), arrays(tmp_path / "once")
    assert [row["step"] for row in expected] == list(range(1, 7))
    assert step == 6
    for name in ("again", "calls", "resumed"):
        assert rows(tmp_path / name) == expected, name
        _, theirs = arrays(tmp_path / name)
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True)), name


@pytest.mark.faults
def test_another_seed_is_another_run(tmp_path):
    """So that the test above can fail."""
    for seed in (0, 1):
        run("configs/cgan.py", tmp_path / str(seed), seed=seed, num_steps=2)
    assert rows(tmp_path / "0") != rows(tmp_path / "1")


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "steps"), [("configs/cgan.py", 300), ("configs/cdcgan.py", 60)])
def test_on_all_cores(spec, steps, tmp_path):
    """Full size, two processes, every core: the same last bits are not promised there, and what was seen is printed."""
    changes = CHANGES | {"num_epochs": 0, "num_steps": steps, "checkpoint_every_steps": 0, "data.name": "mnist_5k"}
    words = [f"--config.{name}={value}" for name, value in changes.items()]
    paths = [tmp_path / "one", tmp_path / "other"]
    for path in paths:
        command = [sys.executable, "-m", "gan_jax.main", "--config", spec, "--workdir", str(path), *words]
        subprocess.run(command, check=True, capture_output=True)
    one, other = map(rows, paths)
    apart = [max(abs(a[key] - b[key]) / max(abs(a[key]), 1e-3) for key in a) for a, b in zip(one, other, strict=True)]
    print(f"{spec}: {np.count_nonzero(apart)} of {steps} rows differ, by a relative {max(apart):.1e} at most")
    assert apart[0] < 1e-5
