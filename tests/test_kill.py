"""SIGKILL at random moments of a real process: nothing lost, nothing doubled. Run by hand: make test-faults"""

import random
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from gan_jax import cli, features, train
from tests.conftest import arrays, one_core, rows

pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore")]
COMMON = [
    "--config.data.name=mnist_5k",
    "--config.num_epochs=0",
    "--config.generator.norm=batch",
    "--config.generator.average_decay=0.99",
    "--config.eval.at_end=false",
]
# Most of the time goes into saves: between two of them lie two steps.
SAVING = [
    *COMMON,
    "--config.num_steps=120",
    "--config.steps_per_call=2",
    "--config.log_every_steps=1",
    "--config.checkpoint_every_steps=2",
    "--config.sample_every_steps=0",
    "--config.generator.widths=16",
    "--config.discriminator.widths=16",
    "--config.eval.every_steps=0",
]
# Everything that a run does: rows, grids, scores on held-out images, checkpoints, each at intervals of its own.
SCORING = [
    *COMMON,
    "--config.num_steps=400",
    "--config.steps_per_call=4",
    "--config.log_every_steps=3",
    "--config.checkpoint_every_steps=20",
    "--config.sample_every_steps=50",
    "--config.generator.widths=64,128",
    "--config.discriminator.widths=128,64",
    "--config.eval.every_steps=60",
    "--config.eval.num_images=100",
]


def start(path, words):
    """The user's command on one processor, where arithmetic is the same every time."""
    command = ["-m", "gan_jax.main", "--config", "configs/cgan.py", "--workdir", str(path), *words]
    return subprocess.Popen(
        [*one_core(), sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def in_a_save(path):
    """Whether a kill fell into a save, or into the removal of an old one: a folder without its manifest."""
    return any(not (folder / "manifest.json").is_file() for folder in (path / "checkpoints").glob("*"))


def compare(whole, killed):
    assert rows(whole) == rows(killed)
    (step, ours), (other, theirs) = arrays(whole), arrays(killed)
    assert step == other
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def kill_often(tmp_path, words, number):
    """Kills a run so often, and goes on each time; whenever it ends, it equals the one that was left alone.

    Returns (the run that was left alone, how many kills fell into a save).
    """
    whole, killed, rng = tmp_path / "whole", tmp_path / "killed", random.Random(0)
    assert start(killed, words).wait() == 0  # Compiles the programs; the clock runs with them at hand.
    shutil.rmtree(killed)
    began = time.monotonic()
    assert start(whole, words).wait() == 0
    seconds = time.monotonic() - began
    kills = inside = 0
    while kills < number:
        process = start(killed, words)
        time.sleep(rng.uniform(0.4, 0.9) * seconds)
        process.kill()
        if process.wait() == 0:
            # It got to its end before the kill: the next one falls into a fresh run.
            compare(whole, killed)
            shutil.rmtree(killed)
        else:
            kills += 1
            inside += in_a_save(killed)
    assert start(killed, words).wait() == 0
    compare(whole, killed)
    return whole, inside


def test_a_hundred_kills_of_a_run_that_mostly_saves(tmp_path):
    whole, inside = kill_often(tmp_path, SAVING, 100)
    assert [row["step"] for row in rows(whole)] == list(range(1, 121))
    assert inside >= 5, "hardly any kill fell into a save: the test says less than its name"


def test_ten_kills_of_a_run_with_scores_and_grids(tmp_path):
    # The classifier is trained before the clock runs.
    features.classifier(train.load_data(cli.parse_config("configs/cgan.py", SCORING), ""))
    whole, _ = kill_often(tmp_path, SCORING, 10)
    # Every third step and the last; a score every 60 steps, and at the last.
    for name, count in (("d_loss", 134), ("validation_frechet_distance", 7)):
        steps = [row["step"] for row in rows(whole) if name in row]
        assert len(set(steps)) == len(steps) == count
