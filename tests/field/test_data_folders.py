"""Data as people have them: a folder of their own, a set that is unfit or damaged."""

import errno
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.benchmarks import stream_set
from gan_jax.data import prepared, sources, tfds_source
from gan_jax.data.splits import split_off_test
from gan_jax.runs.dataset import describe
from gan_jax.system.errors import DataUnavailable, UserError
from tests.field.folders import noise, write_prepared

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


# tensorflow/datasets 4905: a set without a test split.
def test_a_set_without_a_test_split_gets_one(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    stream_set.prepare(tmp_path / "tfds", {"train": 104}, 16, "png", num_shards=1)
    held = sources.load(stream_set.NAME, fallback="mnist_5k", data_dir=str(tmp_path))
    streamed = sources.load(stream_set.NAME, data_dir=str(tmp_path), stream="always")
    assert held.name == stream_set.NAME
    assert np.bincount(held.test.labels).tolist() == [1] * 10
    assert len(held.train.labels) == 94
    note = f"{stream_set.NAME} has no test split, so 0.1 of the training images of each class are test images: 10"
    assert describe(held)["notes"] == [note]
    for split in ("train", "test"):
        one, other = getattr(held, split), getattr(streamed, split)
        np.testing.assert_array_equal(one.images, other.images[:])
        np.testing.assert_array_equal(one.labels, other.labels)
    # A TFDS folder may be named, too.
    named = sources.load(stream_set.NAME, str(tmp_path / "tfds"), data_dir=str(tmp_path / "cache"))
    assert named.fingerprint() == held.fingerprint()


def test_a_prepared_copy_without_a_test_split(tmp_path):
    write_prepared(tmp_path, noise(60))
    data = sources.load("mnist", data_dir=str(tmp_path))
    assert (len(data.train.labels), np.bincount(data.test.labels).tolist()) == (54, [2, 2, 2])
    assert not {image.tobytes() for image in data.test.images} & {image.tobytes() for image in data.train.images}


def test_a_test_split_of_a_few_images_is_refused():
    with pytest.raises(DataUnavailable, match="x has no test split, and too few images for one: no class has 10"):
        split_off_test(noise(27), "x", 0.1)


@pytest.mark.parametrize(
    ("features", "splits", "message"),
    [
        ("image label", {"other": 20}, r"has no training split \(its splits: other\)"),
        ("image label", {"test": 20}, r"has no training split \(its splits: test\)"),
        ("image label", {"train": 20, "test": 0}, "has no images in its split 'test'"),
        ("image labels", {"train": 20, "test": 5}, "has no feature 'label'"),
    ],
)
def test_an_unfit_set_is_not_replaced(tmp_path, monkeypatch, features, splits, message):
    tfds = pytest.importorskip("tensorflow_datasets")
    counts = {split: SimpleNamespace(num_examples=number) for split, number in splits.items()}
    builder = SimpleNamespace(info=SimpleNamespace(features=features.split(), splits=counts))
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: builder)
    version = tmp_path / "tfds" / "mnist" / "3.0.1"
    version.mkdir(parents=True)
    (version / "dataset_info.json").write_text("{}")
    with pytest.raises(DataUnavailable, match=f"TFDS set 'mnist' in {tmp_path / 'tfds'} {message}"):
        sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path))
    # What a preparation that was stopped leaves is not the set.
    version.rename(version.with_name("incomplete.ABCDEF_3.0.1"))
    monkeypatch.setattr(tfds_source, "can_download", lambda name: False)
    assert sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path)).name == "mnist_5k"


# datapythonista/mnist 19: a damaged file is not a file that is not there.
@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (None, "is damaged"),
        ({"train_labels": np.zeros(3, np.int32)}, "train_images"),
        ({"train_images": np.zeros((3, 9, 9, 1), np.float32), "train_labels": np.zeros(3, int)}, "float32"),
        ({"train_images": np.zeros((3, 9, 9), np.uint8), "train_labels": np.zeros(3, int)}, "not of uint8 .N, H, W, C"),
        (
            {"train_images": np.zeros((3, 9, 9, 1), np.uint8), "train_labels": np.zeros(2, int)},
            "no class label for each",
        ),
        (
            {"train_images": np.zeros((3, 9, 9, 1), np.uint8), "train_labels": -np.ones(3, int)},
            "3 images without a label",
        ),
        (
            {"train_images": np.zeros((0, 9, 9, 1), np.uint8), "train_labels": np.zeros(0, int)},
            "a split without images",
        ),
    ],
)
def test_damaged_prepared_data_are_not_replaced(tmp_path, offline, arrays, reason):
    path = prepared.path_in(tmp_path / "prepared", "mnist")
    path.parent.mkdir()
    path.write_bytes(b"PK\x03\x04 cut short") if arrays is None else np.savez(path, **arrays)
    with pytest.raises(DataUnavailable, match=rf"{path} is damaged.*; delete it and run again") as error:
        sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path))
    assert reason.replace(".N", "[N") in str(error.value)
    path.unlink()
    assert sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path)).name == "mnist_5k"


def test_a_download_that_fails_may_be_replaced_but_not_for_a_full_disk(tmp_path, offline, monkeypatch, caplog):
    pytest.importorskip("tensorflow_datasets")

    def fails(error):
        def builder(name, data_dir):
            raise error

        monkeypatch.setattr("tensorflow_datasets.builder", builder)

    monkeypatch.setattr(tfds_source, "can_download", lambda name: True)
    fails(ConnectionError("the server is gone"))
    assert sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path)).name == "mnist_5k"
    assert "TFDS could not give 'mnist': the server is gone; using mnist_5k instead" in caplog.text
    fails(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("fallback", "message"),
    [
        ("mnist_5kk", "data.fallback: no data set is named 'mnist_5kk'; did you mean mnist_5k"),
        ("idx", "data.fallback=idx: a folder replaces no other set"),
        ("../mnist", r"data.fallback='../mnist' is not a data set's name"),
    ],
)
def test_a_fallback_that_cannot_be_is_refused_before_it_is_needed(tmp_path, fallback, message):
    write_prepared(tmp_path)
    with pytest.raises(UserError, match=message):
        sources.load("mnist", fallback=fallback, data_dir=str(tmp_path))


def test_a_fallback_that_cannot_be_had_either_is_said_with_both(tmp_path, offline):
    with pytest.raises(
        DataUnavailable, match="'mnist' is not on this .* nor does data.fallback=kmnist work: 'kmnist' is"
    ):
        sources.load("mnist", fallback="kmnist", data_dir=str(tmp_path))


# pytorch/vision 406: other images in the files of MNIST.
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "mnist_5k", "idx"])
def test_a_named_folder_is_read_and_the_records_say_so(idx_folder, tmp_path, name):
    write_prepared(tmp_path, noise(8), noise(4), name=name)
    data = sources.load(name, str(idx_folder), "mnist_5k", data_dir=str(tmp_path))
    assert len(data.train.labels) == 12
    recorded = describe(data)
    assert [recorded[key] for key in ("requested", "used", "source")] == ["idx", "idx", "IDX files"]
    assert recorded["source_folder"] == str(idx_folder)
    assert (name == "idx") == ("notes" not in recorded)


def test_mnist_in_a_folder_is_called_mnist_if_it_is(idx_folder, monkeypatch):
    monkeypatch.setattr("gan_jax.data.idx.is_mnist", lambda train, test: True)
    data = sources.load("mnist", str(idx_folder))
    assert (data.name, data.requested, data.notes) == ("mnist", "mnist", ())


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "idx", "mnist_5k"])
def test_a_named_folder_without_the_set_is_refused(tmp_path, name):
    write_prepared(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataUnavailable, match=r"train-images-idx3-ubyte.*--config.data.dir"):
        sources.load(name, str(tmp_path / "empty"), "mnist_5k", data_dir=str(tmp_path))
    for folder, kind, message in (
        ("gs://bucket", UserError, "is an address"),
        (str(tmp_path / "prepared" / "mnist.npz"), UserError, "is a .npz file; .* --config.data.name=npz"),
        (__file__, DataUnavailable, "is not a folder; set --config.data.dir=FOLDER"),
        ("~nobody-of-this-name/x", DataUnavailable, "is not a folder"),
    ):
        with pytest.raises(kind, match=message):
            sources.load(name, folder, "mnist_5k", data_dir=str(tmp_path))


def test_half_of_the_files_are_refused_and_the_home_folder_is_found(idx_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(idx_folder.parent))
    assert sources.load("mnist", "~/idx").source.folder == str(idx_folder)
    for file in idx_folder.glob("t10k*"):
        file.unlink()
    with pytest.raises(DataUnavailable, match="no test images in"):
        sources.load("mnist", "~/idx", "mnist_5k")
