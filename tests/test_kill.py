"""SIGKILL at random moments of a real process: nothing lost, nothing doubled. Run by hand: pytest -m slow"""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gan_jax import cli, features, train
from tests.conftest import arrays, rows

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
WORDS = [
    "--config.data.name=mnist_5k",
    "--config.num_epochs=0",
    "--config.num_steps=400",
    "--config.steps_per_call=4",
    "--config.log_every_steps=3",
    "--config.checkpoint_every_steps=20",
    "--config.sample_every_steps=50",
    "--config.generator.widths=64,128",
    "--config.generator.norm=batch",
    "--config.generator.average_decay=0.99",
    "--config.discriminator.widths=128,64",
    "--config.eval.every_steps=60",
    "--config.eval.num_images=100",
    "--config.eval.at_end=false",
]


def start(path):
    """The user's command on one processor, where arithmetic is the same every time."""
    command = ["-m", "gan_jax.main", "--config", "configs/cgan.py", "--workdir", str(path), *WORDS]
    return subprocess.Popen(["taskset", "-c", "0", sys.executable, *command], stderr=subprocess.DEVNULL)


def test_ten_kills_at_random_moments_lose_nothing(tmp_path):
    whole, killed, rng = tmp_path / "whole", tmp_path / "killed", random.Random(0)
    features.classifier(
        train.load_data(cli.parse_config("configs/cgan.py", WORDS), "")
    )  # trained before the clock runs
    began = time.monotonic()
    assert start(whole).wait() == 0
    seconds = time.monotonic() - began
    kills = 0
    while kills < 10:
        process = start(killed)
        time.sleep(rng.uniform(0.3, 0.9) * seconds)
        if process.poll() is not None:
            # It got to the end between two kills: the next one falls into a fresh run.
            compare(whole, killed)
            subprocess.run(["rm", "-r", str(killed)], check=True)
            continue
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    assert start(killed).wait() == 0
    compare(whole, killed)


def compare(whole, killed):
    assert rows(whole) == rows(killed)
    # Every third step and the last; a score every 60 steps, and at the last.
    for name, count in (("d_loss", 134), ("validation_frechet_distance", 7)):
        steps = [row["step"] for row in rows(killed) if name in row]
        assert len(set(steps)) == len(steps) == count
    (step, ours), (other, theirs) = arrays(whole), arrays(killed)
    assert step == other == 400
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
