"""Several real processes train one run: equal to one process, written once, and what happens when one of them ends."""

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

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")
WORDS = [
    "--config.data.name=mnist_5k",
    "--config.num_epochs=0",
    "--config.num_steps=12",
    "--config.batch_size=16",
    "--config.d_steps=2",
    "--config.steps_per_call=2",
    "--config.log_every_steps=1",
    "--config.checkpoint_every_steps=4",
    "--config.sample_every_steps=6",
    # Adam makes much of a rounding where a gradient is 0, as before batch norm.
    "--config.d_optimizer.name=momentum",
    "--config.g_optimizer.name=momentum",
    "--config.generator.widths=16",
    "--config.generator.norm=batch",
    "--config.generator.ema_decay=0.9",
    "--config.discriminator.widths=16",
    "--config.eval.every_steps=0",
    "--config.eval.at_end=false",
]
LONG = [*WORDS, "--config.num_steps=100000", "--config.checkpoint_every_steps=20"]


def start(folder, count, words, mesh="data:-1", slurm=False, last=(), devices=1):
    """`count` processes with workdirs of their own, of which only that of process 0 should ever be made.

    last: more words for the last of them; devices: of each process.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    common = [sys.executable, "-m", "gan_jax.main", "--config", "configs/cgan.py", *words, f"--config.mesh={mesh}"]
    processes = []
    for index in range(count):
        flags = ["--coordinator", f"localhost:{port}", "--num_processes", str(count), "--process_id", str(index)]
        if slurm:
            flags = ["--distributed"]
            # The port that JAX takes is made of the job's number.
            environment |= {"SLURM_JOB_ID": str(port), "SLURM_STEP_NODELIST": "localhost", "SLURM_LOCALID": "0"}
            environment |= {"SLURM_NTASKS": str(count), "SLURM_PROCID": str(index)}
        words = [*common, *flags, "--workdir", str(folder / f"process-{index}"), *(last if index == count - 1 else ())]
        keywords = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(words, env=environment, **keywords))
    return processes


def finish(processes, seconds=300):
    """(exit code, last line of stderr) of each."""
    ends = [process.communicate(timeout=seconds)[1].splitlines() for process in processes]
    return [(process.returncode, lines[-1] if lines else "") for process, lines in zip(processes, ends, strict=True)]


def equals_one_process(ours, one):
    assert [row["step"] for row in rows(ours)] == list(range(1, 13))
    for row, expected in zip(rows(ours), rows(one), strict=True):
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-5)
    (step, found), (_, expected) = arrays(ours), arrays(one)
    assert step == 12
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.fixture
def one(tmp_path):
    """The same run in one process on one device."""
    session.train(cli.parse_config("configs/cgan.py", WORDS), str(tmp_path / "one"))
    return tmp_path / "one"


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_processes_are_one_run_that_is_written_once(one, tmp_path, count):
    assert [code for code, _ in finish(start(tmp_path, count, WORDS))] == [0] * count
    ours = tmp_path / "process-0"
    equals_one_process(ours, one)
    assert sorted(path.name for path in (ours / "samples").iterdir()) == ["step-000006.png", "step-000012.png"]
    about = json.loads((ours / "run.json").read_text())
    assert (about["status"], about["device"]["count"]) == ("completed", count)
    assert [path.name for path in tmp_path.glob("process-*")] == ["process-0"]


@pytest.mark.slow
def test_slurm_says_who_is_who(one, tmp_path):
    """Its variables, without SLURM."""
    assert [code for code, _ in finish(start(tmp_path, 2, WORDS, slurm=True))] == [0, 0]
    equals_one_process(tmp_path / "process-0", one)


@pytest.mark.slow
@pytest.mark.parametrize(("mesh", "devices"), [("seed:2", 1), ("seed:2,data:2", 2)])
def test_two_seeds_on_two_processes_are_the_two_runs(one, tmp_path, mesh, devices):
    words = [*WORDS, "--config.num_seeds=2"]
    assert [code for code, _ in finish(start(tmp_path, 2, words, mesh, devices=devices))] == [0, 0]
    equals_one_process(tmp_path / "process-0" / "seed-0", one)
    assert rows(tmp_path / "process-0" / "seed-1") != rows(tmp_path / "process-0" / "seed-0")


def await_checkpoint_after(step, path, processes):
    """The newest checkpoint's step, once it is a later one."""
    while (newest := max([0, *(int(p.parent.name) for p in path.glob("checkpoints/*/manifest.json"))])) <= step:
        assert all(process.poll() is None for process in processes), [process.communicate() for process in processes]
        time.sleep(0.1)
    return newest


@pytest.mark.faults
@pytest.mark.parametrize("killed", [0, 2])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_where_one_process_ends_the_others_end_and_fewer_go_on(tmp_path, killed, number):
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
    # Two processes go on from there, and a signal to the one that does not write ends both, saved.
    again = start(tmp_path, 2, LONG)
    await_checkpoint_after(arrays(tmp_path / "process-0")[0], tmp_path / "process-0", again)
    again[1].send_signal(signal.SIGTERM)
    ends = finish(again)
    assert [code for code, _ in ends] == [75, 75]
    assert "SIGTERM: saved at step" in ends[0][1]
    about = json.loads((tmp_path / "process-0" / "run.json").read_text())
    assert (about["status"], about["step"]) == ("interrupted", arrays(tmp_path / "process-0")[0])
    assert [row["step"] for row in rows(tmp_path / "process-0")] == list(range(1, about["step"] + 1))


@pytest.mark.faults
def test_processes_with_other_data_are_refused(tmp_path):
    """Or with another config: a seed of its own, here."""
    for code, line in finish(start(tmp_path, 2, WORDS, last=["--config.seed=5"]), 120):
        assert (code, line) == (4, "error: process 1 was given other data or another config than process 0")
    assert not list(tmp_path.glob("process-*"))


@pytest.mark.faults
def test_a_run_that_diverges_ends_all_with_3(tmp_path):
    """Seen by process 0 alone, at a step at which nothing else is due."""
    words = [*WORDS, "--config.objective=lsgan", "--config.g_optimizer.name=sgd", "--config.d_optimizer.name=sgd"]
    words += ["--config.g_optimizer.learning_rate=1e30", "--config.d_optimizer.learning_rate=1e30"]
    ends = finish(start(tmp_path, 2, words), 120)
    assert [code for code, _ in ends] == [3, 3]
    assert "not finite at step" in ends[0][1]
    assert "process 0 says how" in ends[1][1]


@pytest.mark.faults
def test_a_mistake_of_one_process_ends_all(tmp_path):
    """Another config in the workdir: process 0 alone can see it."""
    assert [code for code, _ in finish(start(tmp_path, 2, WORDS))] == [0, 0]
    ends = finish(start(tmp_path, 2, [*WORDS, "--config.seed=1"]), 60)
    assert ends[0][0] == 2
    assert "holds a run of another config" in ends[0][1]
    assert ends[1][0] == 75


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--coordinator", "localhost:1"], "together, or --distributed alone"),
        (["--distributed", "--process_id", "1"], "together, or --distributed alone"),
    ],
)
def test_mistakes(words, message, tmp_path, capsys):
    assert run(main, "--config", "configs/cgan.py", "--workdir", tmp_path / "run", *words) == 2
    assert message in capsys.readouterr().err
