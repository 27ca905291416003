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


def train_small_form(spec, path, **changes):
    """Trains a small form of a system."""
    config = resolve(spec, [])
    # Some configs have more labelled images than mnist_5k has images.
    fewer_labels = {"data.num_labels": min(config.data.num_labels, 100)}
    configs.override(config, fewer_labels | CHANGES | changes)
    session.train(config, str(path))


def train_again_and_resume(spec, folder):
    """Trains three more runs: the same, with other steps_per_call, and resumed from step 2."""
    folder = pathlib.Path(folder)
    train_small_form(spec, folder / "again")
    train_small_form(spec, folder / "calls", steps_per_call=6)
    shutil.copytree(folder / "again", folder / "resumed")
    for step in ("4", "6"):
        shutil.rmtree(folder / "resumed" / "checkpoints" / step)
    train_small_form(spec, folder / "resumed")


def run_on_one_processor(code):
    """Runs Python on one processor."""
    done = subprocess.run([*one_core(), sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def marked(spec):
    """Config files run with `-m faults`, their variants with `-m slow`."""
    return pytest.param(spec, marks=pytest.mark.slow if ":" in spec else pytest.mark.faults)


@pytest.mark.parametrize("spec", [marked(spec) for spec in specs()])
def test_repeated_and_resumed_runs_are_equal(spec, tmp_path):
    module = "from tests import settings; settings.apply(); from tests.whole import test_determinism as test; test"
    run_on_one_processor(f"{module}.train_small_form({spec!r}, {str(tmp_path / 'once')!r})")
    run_on_one_processor(f"{module}.train_again_and_resume({spec!r}, {str(tmp_path)!r})")
    expected_rows, (step, expected_arrays) = rows(tmp_path / "once"), arrays(tmp_path / "once")
    assert [row["step"] for row in expected_rows] == list(range(1, 7))
    assert step == 6
    for name in ("again", "calls", "resumed"):
        assert rows(tmp_path / name) == expected_rows, name
        _, actual_arrays = arrays(tmp_path / name)
        assert all(np.array_equal(a, b) for a, b in zip(expected_arrays, actual_arrays, strict=True)), name


@pytest.mark.faults
def test_another_seed_is_another_run(tmp_path):
    """Otherwise the test above could not fail."""
    for seed in (0, 1):
        train_small_form("configs/cgan.py", tmp_path / str(seed), seed=seed, num_steps=2)
    assert rows(tmp_path / "0") != rows(tmp_path / "1")


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "steps"), [("configs/cgan.py", 300), ("configs/cdcgan.py", 60)])
def test_differences_on_all_cores(spec, steps, tmp_path):
    """Full size, two processes, all cores: bit equality is not guaranteed there, so the differences are printed."""
    changes = CHANGES | {"num_epochs": 0, "num_steps": steps, "checkpoint_every_steps": 0, "data.name": "mnist_5k"}
    overrides = [f"--config.{name}={value}" for name, value in changes.items()]
    paths = [tmp_path / "one", tmp_path / "other"]
    for path in paths:
        command = [sys.executable, "-m", "gan_jax.main", "--config", spec, "--workdir", str(path), *overrides]
        subprocess.run(command, check=True, capture_output=True)
    rows_1, rows_2 = map(rows, paths)
    differences = [
        max(abs(a[key] - b[key]) / max(abs(a[key]), 1e-3) for key in a) for a, b in zip(rows_1, rows_2, strict=True)
    ]
    print(
        f"{spec}: {np.count_nonzero(differences)} of {steps} rows differ, by a relative {max(differences):.1e} at most"
    )
    assert differences[0] < 1e-5
