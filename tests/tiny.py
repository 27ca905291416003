"""Tiny data sets, tiny runs and what they leave, for the tests of several folders."""

import functools
import gzip
import os
import struct
import sys

import jax
import numpy as np
import pytest

from gan_jax import cli
from gan_jax.data import sources
from gan_jax.data.classes import numbered
from gan_jax.data.dataset import Dataset, Source, Split
from gan_jax.runs.load import load_run
from gan_jax.runs.records import read_metrics
from gan_jax.training import recorder, session

IDX_NAMES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels.idx1-ubyte",
}


def idx_bytes(array):
    """An array of bytes in the format of an IDX file."""
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def write_idx(folder, **sizes):
    """A new folder with so many images of noise a split, of three classes."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, size in sizes.items():
        arrays = {"images": rng.integers(0, 256, (size, 9, 9)), "labels": np.arange(size) % 3}
        for kind, array in arrays.items():
            data, name = idx_bytes(array.astype(np.uint8)), IDX_NAMES[f"{split}_{kind}"]
            (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def numbered_images(size=3000):
    """A Dataset of three classes: the pixels of an image give its number and its class."""
    labels = (np.arange(size) % 3).astype(np.int32)
    images = np.zeros((size, 4, 4, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0], images[:, 1, 0, 0] = np.arange(size) % 256, np.arange(size) // 256, labels
    split = Split(images, labels)
    return Dataset("a", Source("b"), "a", split, split, numbered(3))


@functools.cache
def mnist_5k():
    """The Dataset of 5000 MNIST digits that a package brings, read once in a process."""
    return sources.load("mnist_5k")


def run(module, *words):
    """A command's exit code, in this process."""
    old, sys.argv = sys.argv, ["prog", *map(str, words)]
    try:
        cli.execute(module.main)
    except SystemExit as stop:
        return stop.code
    finally:
        sys.argv = old
    return 0


def core():
    """A processor's number: another for each of pytest's workers, as far as they go."""
    worker, cores = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), sorted(os.sched_getaffinity(0))
    return cores[int(worker.removeprefix("gw")) % len(cores)]


def one_core():
    """Words before a command that keep it on one processor."""
    return ["taskset", "-c", str(core())]


def words_of(folder):
    """Command-line overrides of a run of a second on the IDX files of a folder."""
    return [
        "--config.data.name=idx",
        f"--config.data.dir={folder}",
        "--config.num_epochs=0",
        "--config.num_steps=7",
        "--config.batch_size=4",
        "--config.d_steps=2",
        "--config.steps_per_call=2",
        "--config.log_every_steps=1",
        "--config.checkpoint_every_steps=3",
        "--config.sample_every_steps=4",
        "--config.generator.widths=8,8",
        "--config.generator.norm=batch",
        "--config.generator.ema_decay=0.9",
        "--config.discriminator.widths=8,8",
        "--config.data.num_validation=0",
        "--config.eval.every_steps=0",
        "--config.eval.at_end=false",
    ]


def train_killed_between_saves(config, path, monkeypatch):
    """Trains seeds 3 and 4, killed when 3 has saved step 6 and 4 has not, and then by the same command to the end."""
    save = recorder.Recorder.save

    def dies(self, state):
        if self.status.step == 6 and self.status.seed == 4:
            raise KeyboardInterrupt
        save(self, state)

    monkeypatch.setattr(recorder.Recorder, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        session.train(config, str(path))
    monkeypatch.undo()
    jax.clear_caches()
    session.train(config, str(path))


TIMING = ("steps_per_second", "validation_seconds")


def rows(path):
    """The rows of a run's metrics, without the times."""
    return [{k: v for k, v in row.items() if k not in TIMING} for row in read_metrics(path / "metrics.jsonl")]


def arrays(path):
    """Every array of the newest checkpoint."""
    trained = load_run(str(path))
    return trained.step, [np.asarray(leaf) for leaf in jax.tree.leaves(trained.state)]
