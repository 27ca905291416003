"""Strict arithmetic for every test; a small data set as files, a run of a second on it, and what it left."""

import gzip
import os
import shutil
import struct
import sys
import tempfile

import jax
import numpy as np
import pytest
from flax import traverse_util

from gan_jax import cli
from gan_jax.data import sources
from gan_jax.evaluation import features, inception, inception_weights
from gan_jax.evaluation.classifier import Recipe
from gan_jax.runs.load import load
from gan_jax.runs.records import read_metrics
from gan_jax.system import config as configs
from gan_jax.training import recorder, session

# Many tests run the same small program: within one session it is compiled once, for all of pytest's workers.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _COMPILED = tempfile.TemporaryDirectory(prefix="gan_jax-tests-")
    os.environ["GAN_JAX_TESTS_COMPILED"] = _COMPILED.name
jax.config.update("jax_compilation_cache_dir", os.environ["GAN_JAX_TESTS_COMPILED"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
# Most of the tests' time is compilation, of programs that run for moments.
jax.config.update("jax_disable_most_optimizations", True)
# A [B, 1] logit against a [B] target must fail, not broadcast to [B, B].
jax.config.update("jax_numpy_rank_promotion", "raise")

IDX_NAMES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels.idx1-ubyte",
}


def idx_bytes(array):
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


@pytest.fixture
def idx_folder(tmp_path):
    """A small data set of 12 + 6 images as IDX files, gzipped or not, in both spellings."""
    write_idx(tmp_path / "idx", train=12, test=6)
    return tmp_path / "idx"


@pytest.fixture
def digits(tmp_path):
    """60 + 20 noisy images of two classes, a bright left or right half."""
    folder, rng = tmp_path / "digits", np.random.default_rng(0)
    folder.mkdir()
    for prefix, size in (("train", 60), ("t10k", 20)):
        labels = np.arange(size) % 2
        images = rng.integers(0, 60, (size, 8, 8))
        images[labels == 0, :, :4] += 150
        images[labels == 1, :, 4:] += 150
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            (folder / f"{prefix}-{name}-ubyte.gz").write_bytes(gzip.compress(idx_bytes(array.astype(np.uint8))))
    return folder


def core():
    """A processor's number: another for each of pytest's workers, as far as they go."""
    worker, cores = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), sorted(os.sched_getaffinity(0))
    return cores[int(worker.removeprefix("gw")) % len(cores)]


def one_core():
    """Words before a command that keep it on one processor."""
    return ["taskset", "-c", str(core())]


@pytest.fixture(scope="session")
def stored_set(tmp_path_factory):
    """A data_dir with 230 + 20 pictures of 128 x 128 x 3, in three array_record files a split."""
    pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("grain")
    from experiments.benchmarks import stream_set

    folder = tmp_path_factory.mktemp("stored")
    stream_set.prepare(folder / "tfds", {"train": 230, "test": 20}, 128, "jpeg", num_shards=3)
    return folder


@pytest.fixture
def load_stored(stored_set):
    """(stream, ...) -> the Dataset of those pictures."""
    from experiments.benchmarks.stream_set import NAME

    return lambda stream, **kwargs: sources.load(NAME, data_dir=str(stored_set), stream=stream, **kwargs)


@pytest.fixture
def stored_copy(stored_set, tmp_path):
    """A data_dir with the same files, to be damaged, and the second one of the training split."""
    shutil.copytree(stored_set / "tfds", tmp_path / "tfds")
    return tmp_path, sorted((tmp_path / "tfds").rglob("*train.array_record*"))[1]


@pytest.fixture
def quick_classifier(monkeypatch):
    """Scores by a network that is trained in a moment."""
    recipe = Recipe(widths=(4, 8, 8), num_features=8, num_steps=5, batch_size=4)
    monkeypatch.setattr(features, "Recipe", lambda: recipe)


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


@pytest.fixture
def words(idx_folder):
    return words_of(idx_folder)


@pytest.fixture
def config(words):
    return cli.parse_config("configs/cgan.py", words)


@pytest.fixture(scope="session")
def copy_of_run(tmp_path_factory):
    """(path, **changes) -> the config of a finished run, of which a copy is now at path. Each is trained once."""
    folder = tmp_path_factory.mktemp("trained")
    write_idx(folder / "idx", train=12, test=6)

    def copy(path, **changes):
        config = cli.parse_config("configs/cgan.py", words_of(folder / "idx"))
        configs.override(config, changes)
        original = folder / "-".join(["run", *(f"{knob}={value}" for knob, value in changes.items())])
        if not original.exists():
            # Under the name by which it is found only when it has ended: a training that failed is not taken for it.
            training = folder / "training"
            shutil.rmtree(training, ignore_errors=True)
            session.train(config, str(training))
            training.rename(original)
        shutil.copytree(original, path)
        return config

    return copy


@pytest.fixture
def finished_run(copy_of_run, tmp_path):
    """The folder of a finished run of 7 steps with checkpoints at 6 and 7, and its config."""
    return tmp_path / "run", copy_of_run(tmp_path / "run")


@pytest.fixture
def short_run(copy_of_run, tmp_path):
    """The folder of a finished run of 4 steps with checkpoints at 2 and 4, and its config."""
    changes = {"num_steps": 4, "checkpoint_every_steps": 2, "sample_every_steps": 0}
    return tmp_path / "short", copy_of_run(tmp_path / "short", **changes)


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


def rows(path):
    return [{k: v for k, v in row.items() if k not in TIMING} for row in read_metrics(path / "metrics.jsonl")]


def arrays(path):
    """Every array of the newest checkpoint."""
    trained = load(str(path))
    return trained.step, [np.asarray(leaf) for leaf in jax.tree.leaves(trained.state)]


@pytest.fixture(scope="session")
def tensors():
    """Inception weights at random, under PyTorch names (RandomState is frozen: the same numbers everywhere)."""
    rng, tensors = np.random.RandomState(0), {}
    for path, leaf in sorted(traverse_util.flatten_dict(inception.template()).items()):
        values = rng.uniform(-1, 1, leaf.shape).astype(np.float32)
        if path[-1] == "kernel":
            values *= np.sqrt(6 / np.prod(leaf.shape[:-1]), dtype=np.float32)
            values = np.ascontiguousarray(values.transpose((3, 2, 0, 1) if values.ndim == 4 else (1, 0)))
        elif path[-1] in ("scale", "var"):
            values = 1 + values / 2
        tensors[".".join([*path[1:-2], inception_weights._NAMES[path[-2:]]])] = values
    return tensors


@pytest.fixture(scope="session")
def torch():
    session = pytest.importorskip("torch")
    threads = session.get_num_threads()
    session.set_num_threads(1)  # more of them wait for each other, on a machine that is busy
    yield session
    session.set_num_threads(threads)
