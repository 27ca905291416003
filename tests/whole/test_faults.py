"""Faults in real runs, and their required results, as in the table of docs/reliability.md.

The short tests always run. To run the long ones: make test-faults
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


@pytest.mark.thorough
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
    # The advice of the message works.
    shutil.rmtree(newest)
    assert load_run(str(path)).step == 2
    session.train(config, str(path))
    assert load_run(str(path)).step == 4


def test_a_run_may_be_moved_and_its_folder_may_be_read_only(short_run, tmp_path):
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
    jumping_run = tmp_path / "jumping"
    session.train(config, str(jumping_run))
    assert rows(jumping_run) == rows(path)


@pytest.mark.parametrize(
    "fault", ["deleted", *(pytest.param(fault, marks=pytest.mark.thorough) for fault in ("cut", "altered"))]
)
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
    """Whether a process has installed a handler for a signal."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return bool(int(status.split("SigCgt:")[1].split()[0], 16) >> (number - 1) & 1)


def signal_case(module, seconds, number, marks=()):
    """A test case: the command, the seconds until it gets the signal, and the signal."""
    return pytest.param(module, seconds, number, marks=marks, id=f"{module}-{seconds}-{number.name}")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("module", "seconds", "number"),
    [
        signal_case("main", 0.0, signal.SIGINT),
        signal_case("main", 0.0, signal.SIGTERM, pytest.mark.faults),
        signal_case("main", 2.0, signal.SIGINT, pytest.mark.faults),
        signal_case("main", 2.0, signal.SIGTERM),
        signal_case("evaluate", 0.5, signal.SIGINT),
        signal_case("evaluate", 0.5, signal.SIGTERM, pytest.mark.faults),
        signal_case("sample", 0.5, signal.SIGINT, pytest.mark.faults),
        signal_case("sample", 0.5, signal.SIGTERM),
    ],
)
def test_a_signal_at_any_time_ends_with_75(short_run, module, seconds, number):
    """As soon as the command has its handler: during data preparation, compilation, sampling or scoring."""
    path, _ = short_run
    command = [sys.executable, "-m", f"gan_jax.{module}", "--workdir", str(path)]
    if module == "main":
        command[-1] = str(path.with_name("other"))
        command += ["--config", "configs/cgan.py", *SAVING, "--config.num_steps=100000"]
    # JAX warns of a cached program that another process is writing, or was writing when it was killed.
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    while not catches(process, signal.SIGTERM):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(number)
    _, stderr = process.communicate()
    lines = [line for line in stderr.splitlines() if not line.startswith(("step ", "classifier ", "WARNING: "))]
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


def memory_and_files():
    """(resident kilobytes, open files) of this process."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]), len(os.listdir("/proc/self/fd"))


@pytest.fixture
def compile_once(short_run, monkeypatch):
    """All resumes share one compiled program, because compilation would take most of their time. Gives the state."""
    path, config = short_run
    loaded = load_run(str(path))
    call = compile_steps(loaded.gan, config.steps_per_call)
    monkeypatch.setattr(session, "build", lambda *_: loaded.gan)
    monkeypatch.setattr(programs, "compile_steps", lambda *_, **__: call)
    monkeypatch.setattr(initial_state, "init_state", lambda *_: loaded.state)
    return loaded.state


def growth_per_call(num_calls, action):
    """Kilobytes by which the process grows per call, after 30 calls. The number of open files must stay constant."""
    samples = [action() or memory_and_files() for _ in range(num_calls)]
    memory, files = zip(*samples[30:], strict=True)
    assert max(files) - min(files) <= 3
    kilobytes_each = np.polyfit(range(len(memory)), memory, 1)[0]
    print(f"{kilobytes_each:.1f} kB each of {num_calls}; from {memory[0]} to {memory[-1]} kB, {files[-1]} open files")
    return kilobytes_each


def resume(path, config):
    """Resumes training from step 2 to step 4."""
    shutil.rmtree(path / "checkpoints" / "4")
    session.train(config, str(path))


@pytest.mark.faults
def test_resumes_leave_memory_and_open_files_as_they_were(short_run):
    path, config = short_run
    assert growth_per_call(100, lambda: resume(path, config)) < 100
    assert [row["step"] for row in rows(path)] == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_thousand_resumes_grow_by_what_orbax_keeps(short_run, compile_once):
    """TensorStore never frees some memory of each save; nothing else may grow. The error of a slope is under 1 kB."""
    path, config = short_run

    def save():
        checkpoints = Checkpoints(path / "checkpoints", config.keep_checkpoints)
        checkpoints.restore(2, jax.eval_shape(lambda: compile_once))
        checkpoints.save(4, compile_once)
        checkpoints.close()

    assert growth_per_call(1000, lambda: resume(path, config)) < growth_per_call(1000, save) + 10
    assert [row["step"] for row in rows(path)] == [1, 2, 3, 4]
