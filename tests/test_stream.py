"""A set in array_record files: the same images and batches as from memory, at any step, and faults in one line."""

import gc
import multiprocessing
import os
import shutil
import signal
import time

import numpy as np
import psutil
import pytest

from experiments.benchmarks import stream_set
from gan_jax import config as configs
from gan_jax import engine, train
from gan_jax.data import sources
from gan_jax.data.dataset import BatchOrder, hold_out
from gan_jax.data.example import image_and_label
from gan_jax.data.stored import StoredImages
from gan_jax.data.stream import Stream
from gan_jax.errors import DataUnavailable, UserError, WorkerLost
from gan_jax.files import read_sealed, write_sealed
from tests.conftest import arrays, rows

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")

NAME, SIDE, SIZES = "imagenet_shaped", 128, {"train": 230, "test": 20}


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A data_dir with pictures of 128 x 128 x 3 in three array_record files a split."""
    pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("grain")
    folder = tmp_path_factory.mktemp("stored")
    stream_set.prepare(folder / "tfds", SIZES, SIDE, "jpeg", name=NAME, num_shards=3)
    return folder


@pytest.fixture
def load(data_dir):
    return lambda stream, **kwargs: sources.load(NAME, data_dir=str(data_dir), stream=stream, **kwargs)


@pytest.fixture
def copy(data_dir, tmp_path):
    """The same files in a data_dir of their own, to be damaged, and the second one of the training split."""
    shutil.copytree(data_dir / "tfds", tmp_path / "tfds")
    return tmp_path, sorted((tmp_path / "tfds").rglob("*train.array_record*"))[1]


@pytest.fixture
def streamed(config, data_dir):
    """A config of a small run on the stored set, streamed, and the folder of its data."""
    changes = {"data.name": NAME, "data.dir": "", "data.fallback": "", "data.image_size": 16, "data.stream": "always"}
    configs.override(config, changes | {"batch_size": 20, "num_steps": 14, "data.num_validation": 20})
    return config, str(data_dir)


def test_a_stored_set_is_what_tfds_reads(load, data_dir):
    import tensorflow_datasets as tfds

    images, labels = load("always").train
    assert isinstance(images, StoredImages)
    assert images.shape == (230, SIDE, SIDE, 3)
    expected = list(tfds.builder(NAME, data_dir=data_dir / "tfds").as_data_source("train"))
    np.testing.assert_array_equal(labels, [example["label"] for example in expected])
    for chosen in (np.array([229, 0, 80, 80]), slice(75, 160), np.arange(230) % 7 == 0):
        np.testing.assert_array_equal(images[chosen], np.stack([example["image"] for example in expected])[chosen])


@pytest.mark.parametrize("changes", [{}, {"image_size": 32, "channels": 1}])
def test_from_files_and_in_memory_a_set_is_the_same(load, changes):
    stored, held = load("always", **changes), load("never", **changes)
    assert isinstance(held.train.images, np.ndarray)
    for split in ("train", "test"):
        np.testing.assert_array_equal(getattr(stored, split).images[:], getattr(held, split).images)
        np.testing.assert_array_equal(getattr(stored, split).labels, getattr(held, split).labels)
    for a, b in zip((*hold_out(stored, 20).validation,), (*hold_out(held, 20).validation,), strict=True):
        np.testing.assert_array_equal(a, b)
    rest = hold_out(stored, 20).train.images
    np.testing.assert_array_equal(rest[:], hold_out(held, 20).train.images)
    assert (stored.num_classes, stored.image_shape) == (held.num_classes, held.image_shape)


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_other_encodings_keep_every_pixel(tmp_path, encoding):
    stream_set.prepare(tmp_path / "tfds", {"train": 6, "test": 2}, 24, encoding)
    images, _ = sources.load("imagenet_shaped", data_dir=str(tmp_path), stream="always").train
    made = {stream_set.picture(index, 24).tobytes() for index in range(6)}
    assert {image.tobytes() for image in images[:]} == made
    small = sources.load("imagenet_shaped", image_size=12, data_dir=str(tmp_path), stream="always")
    assert small.train.images[:].shape == (6, 12, 12, 3)


def test_records_that_are_no_examples():
    for record in (b"\x0a\x05ab", b"\x0a\x03abc", b"", b"\xff" * 9, b"\x0a\x00"):
        with pytest.raises((ValueError, IndexError, KeyError)):
            image_and_label(record)


def test_auto_chooses_by_size(load):
    """250 pictures of 48 KiB are 11.7 MiB."""
    assert isinstance(load("auto", resident_gib=0.0114).train.images, StoredImages)
    assert isinstance(load("auto", resident_gib=0.0115).train.images, np.ndarray)
    assert isinstance(load("auto", resident_gib=0.0114, image_size=64).train.images, np.ndarray)
    with pytest.raises(UserError, match="data.stream='on' is unknown"):
        load("on")
    with pytest.raises(UserError, match="data.resident_gib=0"):
        load("auto", resident_gib=0)


def test_what_cannot_be_streamed_is_told(idx_folder, tmp_path):
    with pytest.raises(UserError, match="data.stream=always reads array_record files, and 'idx' comes from IDX"):
        sources.load("idx", str(idx_folder), stream="always")
    stream_set.prepare(tmp_path / "tfds", {"train": 6, "test": 2}, 24, file_format="tfrecord")
    kwargs = {"data_dir": str(tmp_path), "resident_gib": 1e-6}
    with pytest.raises(UserError, match="more than data.resident_gib.*convert_format --dataset_version_dir"):
        sources.load("imagenet_shaped", **kwargs)
    assert len(sources.load("imagenet_shaped", stream="never", **kwargs).train.images) == 6


def test_in_memory_is_a_fixed_sample_where_all_is_too_much(load):
    whole = load("always")
    part = load("always", resident_gib=100 * 3 * SIDE**2 / 2**30).in_memory()
    assert (len(part.train.labels), len(part.test.labels)) == (100, 20)
    chosen = whole._replace(train=whole.train).train.images.select(np.arange(230))
    again = load("always", resident_gib=100 * 3 * SIDE**2 / 2**30).in_memory()
    np.testing.assert_array_equal(part.train.images, again.train.images)
    pixels = {image.tobytes(): label for image, label in zip(chosen[:], whole.train.labels, strict=True)}
    assert [pixels[image.tobytes()] for image in part.train.images] == part.train.labels.tolist()
    assert part.num_classes == whole.num_classes
    np.testing.assert_array_equal(whole.in_memory().train.images, whole.train.images[:])


def expected_steps(images, first, count, share=slice(None)):
    order = BatchOrder(5, len(images), 2, 12)
    return images[order(first, count)[:, :, share]]


def make_stream(dataset, **kwargs):
    images = dataset.train.images
    return Stream(images, BatchOrder(5, len(images), 2, 12), 12, ahead=3, **kwargs)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_equal_those_from_memory_over_epochs_and_from_any_step(load, workers):
    """An epoch is 9.6 steps of 24 images: the calls cross two borders."""
    images = load("never", image_size=32).train.images
    stream = make_stream(load("always", image_size=32), workers=workers)
    try:
        for first, count in [(0, 3), (3, 1), (4, 7), (11, 12), (1000, 2), (2, 2)]:
            np.testing.assert_array_equal(np.stack(stream(first, count)), expected_steps(images, first, count))
    finally:
        stream.close()


def test_several_hosts_read_each_their_part(load):
    images = load("never", image_size=32).train.images
    for index in range(3):
        stream = make_stream(load("always", image_size=32), process_index=index, process_count=3)
        part = expected_steps(images, 8, 3, slice(4 * index, 4 * index + 4))
        np.testing.assert_array_equal(np.stack(stream(8, 3)), part)
        stream.close()
    with pytest.raises(UserError, match="batch_size=12 does not divide into 5"):
        make_stream(load("always", image_size=32), process_count=5)
    with pytest.raises(UserError, match="data.stream_workers=-1"):
        make_stream(load("always", image_size=32), workers=-1)


@pytest.mark.parametrize("labels", [0, pytest.param(40, marks=pytest.mark.slow)])
def test_training_equals_training_from_memory_also_after_a_resume(streamed, tmp_path, labels):
    """Calls of 2 steps, d_steps 2, 210 images, batches of 20: epochs end within calls."""
    config, data_dir = streamed
    if labels:
        changes = {"data.num_labels": labels, "discriminator.conditioning": "none", "discriminator.head": "class"}
        configs.override(config, changes | {"d_loss.classification": 1.0})
    train.train(config, str(tmp_path / "streamed"), data_dir)
    resumed, step = tmp_path / "resumed", 5
    configs.override(config, {"num_steps": step})
    train.train(config, str(resumed), data_dir)
    for path in (resumed / "config.json", resumed / "run.json"):
        table = read_sealed(path)
        write_sealed(path, table | {"num_steps": 14})
    configs.override(config, {"num_steps": 14})
    train.train(config, str(resumed), data_dir)
    configs.override(config, {"data.stream": "never"})
    train.train(config, str(tmp_path / "held"), data_dir)
    assert len(rows(tmp_path / "held")) == 14
    assert rows(tmp_path / "streamed") == rows(tmp_path / "held") == rows(resumed)
    for ours, theirs in zip(arrays(tmp_path / "streamed")[1], arrays(tmp_path / "held")[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def fingerprint(folder):
    return sources.load(NAME, data_dir=str(folder), stream="always").fingerprint()


def test_missing_truncated_and_altered_files_are_named(copy):
    folder, path = copy
    kept = path.read_bytes()
    before = fingerprint(folder)

    def message():
        with pytest.raises(DataUnavailable, match=path.name) as error:
            sources.load(NAME, "", "mnist_5k", data_dir=str(folder), stream="always")
        assert "\n" not in str(error.value)
        return str(error.value)

    path.unlink()
    assert "No such file" in message()
    for damaged in (
        kept[: len(kept) // 2],
        kept[:-1],
        b"",
        kept[: len(kept) // 2] + b"\xff" * 9 + kept[len(kept) // 2 + 9 :],
    ):
        path.write_bytes(damaged)
        assert "cannot be read" in message()
    path.write_bytes(path.with_name(path.name.replace("train", "test")).read_bytes())
    assert "holds 6 records" in message()
    path.write_bytes(kept)
    assert fingerprint(folder) == before
    first, last = (path.with_name(path.name.replace("00001-of", f"0000{i}-of")) for i in (0, 2))
    swapped = first.read_bytes()
    first.write_bytes(last.read_bytes())
    last.write_bytes(swapped)
    assert fingerprint(folder) != before


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_is_cut_while_it_is_read_is_named(copy, workers):
    folder, path = copy
    dataset = sources.load(NAME, data_dir=str(folder), stream="always")
    path.write_bytes(path.read_bytes()[:2000])
    stream = make_stream(dataset, workers=workers)
    with pytest.raises(DataUnavailable, match=path.name):
        stream(0, 20)
    stream.close()


def kill_a_worker():
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)


def test_a_worker_that_is_killed_is_told_at_once(load):
    stream = make_stream(load("always", image_size=32), workers=1)
    stream(0, 2)
    kill_a_worker()
    began = time.monotonic()
    with pytest.raises(WorkerLost, match="exit code -9. .*continues from the last checkpoint"):
        stream(2, 100)
    assert time.monotonic() - began < 20
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_run_whose_worker_is_killed_continues(streamed, tmp_path, monkeypatch):
    """From the last checkpoint, and comes to the same end."""
    config, data_dir = streamed
    configs.override(config, {"data.stream_workers": 1, "checkpoint_every_steps": 4})
    advance, path = engine.InTurn.advance, tmp_path / "run"

    def kill_at_4(self, step, *rest):
        if step == 4:
            kill_a_worker()
        return advance(self, step, *rest)

    monkeypatch.setattr(engine.InTurn, "advance", kill_at_4)
    with pytest.raises(WorkerLost):
        train.train(config, str(path), data_dir)
    monkeypatch.undo()
    train.train(config, str(path), data_dir)
    assert [row["step"] for row in rows(path)] == list(range(1, 15))
    configs.override(config, {"data.stream_workers": 0})
    train.train(config, str(tmp_path / "whole"), data_dir)
    assert rows(path) == rows(tmp_path / "whole")


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_many_calls_leave_memory_and_open_files_flat(load, workers):
    process = psutil.Process()

    def state():
        gc.collect()
        return process.num_fds(), process.num_threads(), process.memory_info().rss / 2**20

    stream = make_stream(load("always", image_size=32), workers=workers)
    for step in range(0, 40, 4):
        stream(step, 4)
    before = state()
    for step in range(40, 240, 4):
        stream(step, 4)
    files, threads, memory = state()
    assert files <= before[0] + 4
    assert threads <= before[1] + 2
    assert memory < before[2] + 20
    for _ in range(5):
        stream(0, 1)
        stream.close()
    files, threads, _ = state()
    assert files <= before[0]
    assert threads <= before[1]
