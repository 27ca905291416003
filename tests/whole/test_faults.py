"""Faults put into real runs, and what must hold all the same. docs/reliability.md is the table of them.

The short ones run with every test; the long ones by hand: make test-faults
"""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from gan_jax.runs import initial_state
from gan_jax.runs.checkpoint import Checkpoints
from gan_jax.runs.load import load_run
from gan_jax.runs.records import Records, read_metrics
from gan_jax.system import config as configs
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.training import programs, session
from gan_jax.training.compiled_steps import compile_steps
from tests.tiny import IDX_NAMES, arrays, rows
from tests.whole.long_runs import SAVING


def test_one_flipped_bit_in_any_file_of_a_checkpoint_is_refused(short_run):
    path, config = short_run
    newest = path / "checkpoints" / "4"
    files = [p for p in sorted(newest.rglob("*")) if p.is_file() and p.stat().st_size]
    assert len(files) >= 5
    rng = random.Random(0)
    for file in files:
        content = file.read_bytes()
        for damage in ("bit", "cut"):
            position = rng.randrange(len(content))
            flipped = bytes([content[position] ^ (1 << rng.randrange(8))])
            file.write_bytes(content[:position] + (flipped + content[position + 1 :] if damage == "bit" else b""))
            with pytest.raises(UserError, match=f"checkpoint {newest} is damaged") as error:
                load_run(str(path))
            assert "delete that folder to continue from step 2" in str(error.value)
        file.write_bytes(content)
    assert load_run(str(path)).step == 4
    # What the line says to do, works.
    shutil.rmtree(newest)
    assert load_run(str(path)).step == 2
    session.train(config, str(path))
    assert load_run(str(path)).step == 4


def test_a_run_may_be_moved_and_read_where_nothing_may_be_written(short_run, tmp_path):
    path, config = short_run
    moved = path.rename(tmp_path / "elsewhere")
    before = arrays(moved)
    for folder in (moved, *(p for p in moved.rglob("*") if p.is_dir())):
        folder.chmod(0o500)
    try:
        assert load_run(str(moved)).step == 4
    finally:
        for folder in (moved, *(p for p in moved.rglob("*") if p.is_dir())):
            folder.chmod(0o700)
    configs.override(config, {"sample_every_steps": 0})
    session.train(config, str(moved))
    assert before[0] == arrays(moved)[0]


def test_the_clock_may_jump(short_run, tmp_path, monkeypatch):
    path, config = short_run
    clock = iter(1e9 + jump for jump in np.random.default_rng(0).uniform(-1e8, 1e8, 10_000))
    monkeypatch.setattr(time, "time", lambda: next(clock))
    other = tmp_path / "jumping"
    session.train(config, str(other))
    assert rows(other) == rows(path)


@pytest.mark.parametrize("fault", ["deleted", "cut", "altered"])
def test_data_that_has_changed_is_found_before_training(config, idx_folder, tmp_path, fault):
    path = tmp_path / "run"
    configs.override(config, {"num_steps": 4, "checkpoint_every_steps": 2})
    session.train(config, str(path))
    shutil.rmtree(path / "checkpoints" / "4")
    file = idx_folder / IDX_NAMES["train_labels"]
    content = file.read_bytes()
    if fault == "deleted":
        file.unlink()
    else:
        file.write_bytes(content[:-1] if fault == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    before = sorted((path / "checkpoints").iterdir())
    with pytest.raises(DataUnavailable):
        session.train(config, str(path))
    assert sorted((path / "checkpoints").iterdir()) == before
    file.write_bytes(content)
    session.train(config, str(path))


def catches(process, number):
    """Whether a process has a handler of its own for a signal."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return bool(int(status.split("SigCgt:")[1].split()[0], 16) >> (number - 1) & 1)


def sent(module, seconds, number, marks=()):
    """A command, the seconds after which it gets a signal, and which."""
    return pytest.param(module, seconds, number, marks=marks, id=f"{module}-{seconds}-{number.name}")


@pytest.mark.parametrize(
    ("module", "seconds", "number"),
    [
        sent("main", 0.0, signal.SIGINT),
        sent("main", 0.0, signal.SIGTERM, pytest.mark.faults),
        sent("main", 2.0, signal.SIGINT, pytest.mark.faults),
        sent("main", 2.0, signal.SIGTERM),
        sent("evaluate", 0.5, signal.SIGINT),
        sent("evaluate", 0.5, signal.SIGTERM, pytest.mark.faults),
        sent("sample", 0.5, signal.SIGINT, pytest.mark.faults),
        sent("sample", 0.5, signal.SIGTERM),
    ],
)
def test_a_signal_at_any_time_ends_with_75(short_run, module, seconds, number):
    """From the moment on at which the command answers for itself: in data preparation, compiling, drawing, scoring."""
    path, _ = short_run
    words = [sys.executable, "-m", f"gan_jax.{module}", "--workdir", str(path)]
    if module == "main":
        words[-1] = str(path.with_name("other"))
        words += ["--config", "configs/cgan.py", *SAVING, "--config.num_steps=100000"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not catches(process, signal.SIGTERM):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(number)
    _, stderr = process.communicate()
    lines = [line for line in stderr.splitlines() if not line.startswith(("step ", "classifier "))]
    assert process.returncode == 75, stderr
    assert len(lines) == 1, stderr
    assert lines[0].startswith("error: ")


@pytest.mark.faults
def test_a_million_rows_load_in_seconds(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with path.open("w") as file:
        for step in range(1, 1_000_001):
            file.write(
                json.dumps({"step": step, "d_loss": 0.1234567, "g_loss": 1.0, "d_real": 0.5, "d_fake": 0.5}) + "\n"
            )
    began = time.monotonic()
    records = Records(tmp_path, path, 999_990)
    records.close()
    assert len(read_metrics(path)) == 999_990
    assert time.monotonic() - began < 60


def resident():
    """(resident kilobytes, open files) of this process."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]), len(os.listdir("/proc/self/fd"))


@pytest.fixture
def programs_once(short_run, monkeypatch):
    """What each resume compiles anew is most of its time; here all of them run the same programs."""
    path, config = short_run
    trained = load_run(str(path))
    call = compile_steps(trained.gan, config.steps_per_call)
    monkeypatch.setattr(session, "build", lambda *_: trained.gan)
    monkeypatch.setattr(programs, "compile_steps", lambda *_, **__: call)
    monkeypatch.setattr(initial_state, "init_state", lambda *_: trained.state)
    return trained.state


def growth(number, action):
    """Kilobytes that the process grows by each time, once it has settled; open files stay as many as they are."""
    seen = [action() or resident() for _ in range(number)]
    memory, files = zip(*seen[30:], strict=True)
    assert max(files) - min(files) <= 3
    each = np.polyfit(range(len(memory)), memory, 1)[0]
    print(f"{each:.1f} kB each of {number}; from {memory[0]} to {memory[-1]} kB, {files[-1]} open files")
    return each


def resume(path, config):
    """Trains again from step 2 to 4."""
    shutil.rmtree(path / "checkpoints" / "4")
    session.train(config, str(path))


@pytest.mark.faults
def test_resumes_leave_memory_and_open_files_as_they_were(short_run):
    path, config = short_run
    assert growth(100, lambda: resume(path, config)) < 100
    assert [row["step"] for row in rows(path)] == [1, 2, 3, 4]


@pytest.mark.slow
def test_ten_thousand_resumes_grow_by_what_orbax_keeps(short_run, programs_once):
    """TensorStore gives some of a save's memory back to nobody; beside that nothing grows."""
    path, config = short_run

    def save():
        checkpoints = Checkpoints(path / "checkpoints", config.keep_checkpoints)
        checkpoints.restore(2, jax.eval_shape(lambda: programs_once))
        checkpoints.save(4, programs_once)
        checkpoints.close()

    assert growth(10_000, lambda: resume(path, config)) < growth(2_000, save) + 10
    assert [row["step"] for row in rows(path)] == [1, 2, 3, 4]
