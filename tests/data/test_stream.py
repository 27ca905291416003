"""The stream of a run's images: the same batches as from memory, from any step on; workers that are killed."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from experiments.benchmarks.stream_set import NAME
from gan_jax.data import sources
from gan_jax.data.batches import BatchOrder
from gan_jax.data.stream import Stream
from gan_jax.runs import score
from gan_jax.system import config as configs
from gan_jax.system.errors import DataUnavailable, UserError, WorkerLost
from gan_jax.system.files import read_sealed, write_sealed
from gan_jax.training import programs, session
from tests.tiny import arrays, rows

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("grain")


@pytest.fixture
def streamed(config, stored_set):
    """(config, data_dir) of a small run that streams the stored data set."""
    changes = {"data.name": NAME, "data.dir": "", "data.fallback": "", "data.image_size": 16, "data.stream": "always"}
    configs.override(config, changes | {"batch_size": 20, "num_steps": 14, "data.num_validation": 20})
    return config, str(stored_set)


def expected_steps(images, first, count, share=slice(None)):
    order = BatchOrder(5, len(images), 2, 12)
    return images[order(first, count)[:, :, share]]


def make_stream(dataset, **kwargs):
    images = dataset.train.images
    return Stream(images, BatchOrder(5, len(images), 2, 12), 12, ahead=3, **kwargs)


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_equal_those_from_memory_over_epochs_and_from_any_step(load_stored, workers):
    """An epoch is 9.6 steps of 24 images, so the calls cross the ends of two epochs."""
    images = load_stored("never", image_size=32).train.images
    stream = make_stream(load_stored("always", image_size=32), workers=workers)
    try:
        for first, count in [(0, 3), (3, 1), (4, 7), (11, 12), (1000, 2), (2, 2)]:
            np.testing.assert_array_equal(np.stack(stream(first, count)), expected_steps(images, first, count))
    finally:
        stream.close()


def test_each_of_several_hosts_reads_its_part(load_stored):
    images = load_stored("never", image_size=32).train.images
    for index in range(3):
        stream = make_stream(load_stored("always", image_size=32), process_index=index, process_count=3)
        expected = expected_steps(images, 8, 3, slice(4 * index, 4 * index + 4))
        np.testing.assert_array_equal(np.stack(stream(8, 3)), expected)
        stream.close()
    with pytest.raises(UserError, match="batch_size=12 does not divide into 5"):
        make_stream(load_stored("always", image_size=32), process_count=5)
    with pytest.raises(UserError, match="data.stream_workers=-1"):
        make_stream(load_stored("always", image_size=32), workers=-1)


@pytest.mark.thorough
@pytest.mark.parametrize("labels", [0, pytest.param(40, marks=pytest.mark.slow)])
def test_training_and_a_resume_equal_training_from_memory_bit_for_bit(streamed, tmp_path, labels):
    """With these sizes, epochs end within calls. Scores use as many images as fit in memory."""
    config, data_dir = streamed
    configs.override(config, {"data.resident_gib": 60 * 3 * 16**2 / 2**30})
    if labels:
        changes = {"data.num_labels": labels, "discriminator.conditioning": "none", "discriminator.head": "class"}
        configs.override(config, changes | {"d_loss.classification": 1.0})
    path = tmp_path / "streamed"
    configs.override(config, {"num_steps": 5})
    session.train(config, str(path), data_dir)
    for file in (path / "config.json", path / "run.json"):
        write_sealed(file, read_sealed(file) | {"num_steps": 14})
    configs.override(config, {"num_steps": 14})
    session.train(config, str(path), data_dir)
    configs.override(config, {"data.stream": "never"})
    session.train(config, str(tmp_path / "memory"), data_dir)
    assert [row["step"] for row in rows(path)] == list(range(1, 15))
    assert rows(path) == rows(tmp_path / "memory")
    for actual, expected in zip(arrays(path)[1], arrays(tmp_path / "memory")[1], strict=True):
        np.testing.assert_array_equal(actual, expected)
    result = score.evaluate(str(path), score.Protocol(num_images=50, features="pixels"), data_dir)
    assert (result["num_train"], result["num_real"], result["num_generated"]) == (60, 20, 50)
    assert np.isfinite(result["frechet_distance"])


def test_a_stream_has_no_separate_images_for_g(streamed, tmp_path):
    config, data_dir = streamed
    configs.override(config, {"g_batch": "own"})
    with pytest.raises(UserError, match="g_batch='own': images that are read from files are read once a step"):
        session.train(config, str(tmp_path / "run"), data_dir)


def test_labels_are_not_propagated_in_a_stream(streamed, tmp_path):
    config, data_dir = streamed
    few_labels = {"data.num_labels": 10, "discriminator.head": "class", "discriminator.conditioning": "none"}
    configs.override(config, few_labels | {"d_loss.classification": 1.0, "d_loss.propagated_label": 1.0})
    with pytest.raises(UserError, match="d_loss.propagated_label compares all images in memory: set --config.data.str"):
        session.train(config, str(tmp_path / "run"), data_dir)


@pytest.mark.slow
def test_each_of_two_seeds_reads_a_stream(streamed, tmp_path):
    config, data_dir = streamed
    configs.override(config, {"num_seeds": 2})
    session.train(config, str(tmp_path / "both"), data_dir)
    configs.override(config, {"data.stream": "never", "num_seeds": 1, "seed": 1})
    session.train(config, str(tmp_path / "memory"), data_dir)
    assert rows(tmp_path / "memory") == rows(tmp_path / "both" / "seed-1")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_is_cut_while_it_is_read_is_named(stored_copy, workers):
    folder, path = stored_copy
    dataset = sources.load(NAME, data_dir=str(folder), stream="always")
    path.write_bytes(path.read_bytes()[:2000])
    stream = make_stream(dataset, workers=workers)
    with pytest.raises(DataUnavailable, match=path.name):
        stream(0, 20)
    stream.close()


def kill_a_worker():
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)


@pytest.mark.thorough
def test_a_worker_that_is_killed_is_reported_at_once(load_stored):
    stream = make_stream(load_stored("always", image_size=32), workers=1)
    stream(0, 2)
    kill_a_worker()
    began = time.monotonic()
    with pytest.raises(WorkerLost, match="exit code -9. .*continues from the last checkpoint"):
        stream(2, 100)
    assert time.monotonic() - began < 20
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_run_whose_worker_is_killed_continues(streamed, tmp_path, monkeypatch):
    """It resumes from the last checkpoint and ends like an uninterrupted run."""
    config, data_dir = streamed
    configs.override(config, {"data.stream_workers": 1, "checkpoint_every_steps": 4})
    advance, path = programs.SequentialSeeds.advance, tmp_path / "run"

    def kill_at_4(self, call, live):
        if call.first_step == 4:
            kill_a_worker()
        return advance(self, call, live)

    monkeypatch.setattr(programs.SequentialSeeds, "advance", kill_at_4)
    with pytest.raises(WorkerLost):
        session.train(config, str(path), data_dir)
    monkeypatch.undo()
    session.train(config, str(path), data_dir)
    assert [row["step"] for row in rows(path)] == list(range(1, 15))
    configs.override(config, {"data.stream_workers": 0})
    session.train(config, str(tmp_path / "uninterrupted"), data_dir)
    assert rows(path) == rows(tmp_path / "uninterrupted")


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_many_calls_keep_memory_and_open_files_constant(load_stored, workers):
    process = psutil.Process()

    def resources():
        gc.collect()
        return process.num_fds(), process.num_threads(), process.memory_info().rss / 2**20

    stream = make_stream(load_stored("always", image_size=32), workers=workers)
    for step in range(0, 40, 4):
        stream(step, 4)
    before = resources()
    for step in range(40, 240, 4):
        stream(step, 4)
    # A leak would add fifty. JAX may start a few threads at any time.
    files, threads, memory = resources()
    assert files <= before[0] + 4
    assert threads < before[1] + 10
    assert memory < before[2] + 20
    for _ in range(20):
        stream(0, 1)
        stream.close()
    files, threads, _ = resources()
    assert files <= before[0]
    assert threads < before[1] + 10


_READS = """
import multiprocessing, sys, time
from gan_jax.data import sources
from gan_jax.data.batches import BatchOrder
from gan_jax.data.stream import Stream
images = sources.load("imagenet_shaped", data_dir=sys.argv[1], stream="always").train.images
stream = Stream(images, BatchOrder(0, 230, 1, 8), 8, ahead=2, workers=2)
stream(0, 2)
print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
for step in range(2, 10**6):
    stream(step, 1)
    print(step, flush=True)
    time.sleep(0.01)
"""


@pytest.mark.slow
def test_workers_follow_their_run_and_ignore_ctrl_c(stored_set):
    with subprocess.Popen([sys.executable, "-c", _READS, stored_set], stdout=subprocess.PIPE, text=True) as run:
        workers = [psutil.Process(int(word)) for word in run.stdout.readline().split()]
        assert len(workers) == 2
        for worker in workers:
            worker.send_signal(signal.SIGINT)
        for _ in range(50):
            assert run.stdout.readline().strip().isdigit()
        run.kill()
    assert not psutil.wait_procs(workers, timeout=20)[1]
