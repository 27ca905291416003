"""Several real processes train one run: equal to one process, written once; and one process that ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from gan_jax import cli, main
from gan_jax.training import session
from tests.tiny import arrays, rows, run

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")
OVERRIDES = [
    "--config.data.name=mnist_5k",
    "--config.num_epochs=0",
    "--config.num_steps=12",
    "--config.batch_size=16",
    "--config.d_steps=2",
    "--config.steps_per_call=2",
    "--config.log_every_steps=1",
    "--config.checkpoint_every_steps=4",
    "--config.sample_every_steps=6",
    # If a gradient is 0, as before batch norm, Adam turns its rounding error into a large update.
    "--config.d_optimizer.name=momentum",
    "--config.g_optimizer.name=momentum",
    "--config.generator.widths=16",
    "--config.generator.norm=batch",
    "--config.generator.ema_decay=0.9",
    "--config.discriminator.widths=16",
    "--config.eval.every_steps=0",
    "--config.eval.at_end=false",
]
LONG = [*OVERRIDES, "--config.num_steps=100000", "--config.checkpoint_every_steps=20"]


def start(folder, count, overrides, mesh="data:-1", slurm=False, last_overrides=(), devices=1):
    """Starts `count` processes with different workdirs. Only process 0 should create its workdir.

    last_overrides: further overrides for the last process; devices: their number per process.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    environment = os.environ | {"XLA_FLAGS": flags}
    common = [sys.executable, "-m", "gan_jax.main", "--config", "configs/cgan.py", *overrides, f"--config.mesh={mesh}"]
    processes = []
    for index in range(count):
        flags = ["--coordinator", f"localhost:{port}", "--num_processes", str(count), "--process_id", str(index)]
        if slurm:
            flags = ["--distributed"]
            # JAX computes its port from the job's number.
            environment |= {"SLURM_JOB_ID": str(port), "SLURM_STEP_NODELIST": "localhost", "SLURM_LOCALID": "0"}
            environment |= {"SLURM_NTASKS": str(count), "SLURM_PROCID": str(index)}
        command = [
            *common,
            *flags,
            "--workdir",
            str(folder / f"process-{index}"),
            *(last_overrides if index == count - 1 else ()),
        ]
        keywords = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(command, env=environment, **keywords))
    return processes


def finish(processes, seconds=300):
    """(exit code, last line of stderr) of each process."""
    ends = [process.communicate(timeout=seconds)[1].splitlines() for process in processes]
    return [(process.returncode, lines[-1] if lines else "") for process, lines in zip(processes, ends, strict=True)]


def assert_equals_single_process(path, single_process_run):
    assert [row["step"] for row in rows(path)] == list(range(1, 13))
    for row, expected in zip(rows(path), rows(single_process_run), strict=True):
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-5)
    (step, actual), (_, expected) = arrays(path), arrays(single_process_run)
    assert step == 12
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.fixture
def single_process_run(tmp_path):
    """The same run in one process on one device."""
    session.train(cli.parse_config("configs/cgan.py", OVERRIDES), str(tmp_path / "one"))
    return tmp_path / "one"


@pytest.mark.thorough
@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_processes_equal_one_and_write_once(single_process_run, tmp_path, count):
    assert [code for code, _ in finish(start(tmp_path, count, OVERRIDES))] == [0] * count
    workdir = tmp_path / "process-0"
    assert_equals_single_process(workdir, single_process_run)
    assert sorted(path.name for path in (workdir / "samples").iterdir()) == ["step-000006.png", "step-000012.png"]
    run_info = json.loads((workdir / "run.json").read_text())
    assert (run_info["status"], run_info["device"]["count"]) == ("completed", count)
    assert [path.name for path in tmp_path.glob("process-*")] == ["process-0"]


@pytest.mark.slow
def test_process_numbers_come_from_slurm(single_process_run, tmp_path):
    """With the variables that SLURM sets, but without SLURM."""
    assert [code for code, _ in finish(start(tmp_path, 2, OVERRIDES, slurm=True))] == [0, 0]
    assert_equals_single_process(tmp_path / "process-0", single_process_run)


@pytest.mark.slow
@pytest.mark.parametrize(("mesh", "devices"), [("seed:2", 1), ("seed:2,data:2", 2)])
def test_two_seeds_on_two_processes_equal_two_runs(single_process_run, tmp_path, mesh, devices):
    overrides = [*OVERRIDES, "--config.num_seeds=2"]
    assert [code for code, _ in finish(start(tmp_path, 2, overrides, mesh, devices=devices))] == [0, 0]
    assert_equals_single_process(tmp_path / "process-0" / "seed-0", single_process_run)
    assert rows(tmp_path / "process-0" / "seed-1") != rows(tmp_path / "process-0" / "seed-0")


def await_checkpoint_after(step, path, processes):
    """Waits for a checkpoint after `step`; returns its step."""
    while (newest := max([0, *(int(p.parent.name) for p in path.glob("checkpoints/*/manifest.json"))])) <= step:
        assert all(process.poll() is None for process in processes), [process.communicate() for process in processes]
        time.sleep(0.1)
    return newest


@pytest.mark.faults
@pytest.mark.parametrize("killed", [0, 2])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_if_one_process_ends_the_others_end_and_fewer_continue(tmp_path, killed, number):
    processes = start(tmp_path, 4, LONG)
    await_checkpoint_after(0, tmp_path / "process-0", processes)
    processes[killed].send_signal(number)
    began = time.monotonic()
    ends = finish([process for index, process in enumerate(processes) if index != killed])
    assert time.monotonic() - began < 60
    assert (
        ends
        == [(75, "error: another process of this run has ended; the same commands continue from the last checkpoint")]
        * 3
    )
    processes[killed].kill()
    processes[killed].communicate()
    # Two processes resume the run. After a signal to process 1, both save and end.
    resumed = start(tmp_path, 2, LONG)
    await_checkpoint_after(arrays(tmp_path / "process-0")[0], tmp_path / "process-0", resumed)
    resumed[1].send_signal(signal.SIGTERM)
    ends = finish(resumed)
    assert [code for code, _ in ends] == [75, 75]
    assert "SIGTERM: saved at step" in ends[0][1]
    run_info = json.loads((tmp_path / "process-0" / "run.json").read_text())
    assert (run_info["status"], run_info["step"]) == ("interrupted", arrays(tmp_path / "process-0")[0])
    assert [row["step"] for row in rows(tmp_path / "process-0")] == list(range(1, run_info["step"] + 1))


@pytest.mark.faults
def test_processes_with_other_data_are_refused(tmp_path):
    """Here with another config: another seed."""
    for code, line in finish(start(tmp_path, 2, OVERRIDES, last_overrides=["--config.seed=5"]), 120):
        assert (code, line) == (4, "error: process 1 was given other data or another config than process 0")
    assert not list(tmp_path.glob("process-*"))


@pytest.mark.faults
def test_a_run_that_diverges_ends_all_with_3(tmp_path):
    """Only process 0 detects it, at a step without any other synchronisation."""
    overrides = [
        *OVERRIDES,
        "--config.objective=lsgan",
        "--config.g_optimizer.name=sgd",
        "--config.d_optimizer.name=sgd",
    ]
    overrides += ["--config.g_optimizer.learning_rate=1e30", "--config.d_optimizer.learning_rate=1e30"]
    ends = finish(start(tmp_path, 2, overrides), 120)
    assert [code for code, _ in ends] == [3, 3]
    assert "not finite at step" in ends[0][1]
    assert "process 0 says how" in ends[1][1]


@pytest.mark.faults
def test_a_mistake_of_one_process_ends_all(tmp_path):
    """The workdir has another config. Only process 0 reads the workdir."""
    assert [code for code, _ in finish(start(tmp_path, 2, OVERRIDES))] == [0, 0]
    ends = finish(start(tmp_path, 2, [*OVERRIDES, "--config.seed=1"]), 60)
    assert ends[0][0] == 2
    assert "holds a run of another config" in ends[0][1]
    assert ends[1][0] == 75


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--coordinator", "localhost:1"], "together, or --distributed alone"),
        (["--distributed", "--process_id", "1"], "together, or --distributed alone"),
    ],
)
def test_mistakes(arguments, message, tmp_path, capsys):
    assert run(main, "--config", "configs/cgan.py", "--workdir", tmp_path / "run", *arguments) == 2
    assert message in capsys.readouterr().err
