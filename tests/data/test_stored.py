"""Images in array_record files: equal to those that TFDS reads and to those in memory; faults give one line."""

import shutil
import types

import numpy as np
import pytest

from experiments.benchmarks import stream_set
from experiments.benchmarks.stream_set import NAME
from gan_jax.data import sources, tfds_source
from gan_jax.data.classes import index_classes
from gan_jax.data.dataset import Source, Split, convert, hold_out
from gan_jax.data.example import image_and_label
from gan_jax.data.pixels import RESIZES, Conversion
from gan_jax.data.stored import Files, StoredImages, target_shape
from gan_jax.system.errors import DataUnavailable, UserError

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("grain")

SIDE = 128


def test_a_stored_set_equals_that_read_by_tfds(load_stored, stored_set):
    import tensorflow_datasets as tfds

    images, labels = load_stored("always").train
    assert isinstance(images, StoredImages)
    assert images.shape == (230, SIDE, SIDE, 3)
    expected = list(tfds.builder(NAME, data_dir=stored_set / "tfds").as_data_source("train"))
    np.testing.assert_array_equal(labels, [example["label"] for example in expected])
    for chosen in (np.array([229, 0, 80, 80]), slice(75, 160), np.arange(230) % 7 == 0):
        np.testing.assert_array_equal(images[chosen], np.stack([example["image"] for example in expected])[chosen])


@pytest.mark.parametrize("changes", [{}, {"image_size": 32, "channels": 1}])
def test_a_set_in_files_equals_the_set_in_memory(load_stored, changes):
    stored, in_memory = load_stored("always", **changes), load_stored("never", **changes)
    assert isinstance(in_memory.train.images, np.ndarray)
    for split in ("train", "test"):
        np.testing.assert_array_equal(getattr(stored, split).images[:], getattr(in_memory, split).images)
        np.testing.assert_array_equal(getattr(stored, split).labels, getattr(in_memory, split).labels)
    for a, b in zip((*hold_out(stored, 20).validation,), (*hold_out(in_memory, 20).validation,), strict=True):
        np.testing.assert_array_equal(a, b)
    stored_train = hold_out(stored, 20).train.images
    np.testing.assert_array_equal(stored_train[:], hold_out(in_memory, 20).train.images)
    assert (stored.num_classes, stored.image_shape) == (in_memory.num_classes, in_memory.image_shape)


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_other_encodings_keep_every_pixel(tmp_path, encoding):
    stream_set.prepare(tmp_path / "tfds", {"train": 6, "test": 2}, 24, encoding)
    images, _ = sources.load(NAME, data_dir=str(tmp_path), stream="always").train
    expected = {stream_set.picture(index, 24).tobytes() for index in range(6)}
    assert {image.tobytes() for image in images[:]} == expected
    small = sources.load(NAME, image_size=12, data_dir=str(tmp_path), stream="always")
    assert small.train.images[:].shape == (6, 12, 12, 3)


def example(image, label):
    """A record written by hand: each protobuf message is a key, a length and its bytes."""

    def field(number, data):
        return bytes([number << 3 | 2, len(data)]) + data

    features = ((b"image", field(1, field(1, image))), (b"other", field(2, b"")), (b"label", field(3, field(1, label))))
    return field(1, b"".join(field(1, field(1, name) + field(2, feature)) for name, feature in features))


@pytest.mark.parametrize(("label", "number"), [(b"\x07", 7), (b"\xac\x02", 300), (b"\xff" * 9 + b"\x01", -1)])
def test_records_by_hand(label, number):
    assert image_and_label(example(b"png", label)) == (b"png", number)


def test_invalid_records():
    for record in (b"\x0a\x05ab", b"\x0a\x03abc", b"", b"\xff" * 9, b"\x0a\x00", example(b"png", b"")):
        with pytest.raises((ValueError, IndexError, KeyError)):
            image_and_label(record)


@pytest.mark.parametrize("resize", ["", *RESIZES])
@pytest.mark.parametrize("size", [0, 4])
def test_stored_images_that_are_not_square(resize, size):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 1), np.uint8)
    files, conversion = Files((("a", 3),), (8, 6, 1), encoded=False), Conversion(size, resize=resize)
    shape, method = target_shape(files, conversion), conversion.method(files.image_shape)
    images = StoredImages(files, shape, "digest", 1e9, method)
    records = [example(picture.tobytes(), b"\0") for picture in pictures]
    images.__dict__["_source"] = types.SimpleNamespace(__getitems__=lambda rows: [records[row] for row in rows])
    np.testing.assert_array_equal(images[:], convert(Split(pictures, np.zeros(3)), conversion).images)
    # What changes the pixels is part of the fingerprint; images of before this setting keep theirs.
    stretched = StoredImages(files, shape, "digest", 1e9).identity()
    assert (images.identity() == stretched) == (method == "stretch")
    assert images.select(np.arange(2)).identity().endswith(method.encode()) == (method != "stretch")


def test_classes_of_stored_images(load_stored):
    train, test = load_stored("always").train, load_stored("always").test
    splits, names, notes = index_classes({"train": train.select(train.labels != 3), "test": test})
    train, test = splits["train"], splits["test"]
    assert isinstance(test.images, StoredImages)
    assert (len(train.labels), len(test.images), len(test.labels)) == (207, 18, 18)
    assert (names, notes[0][:28]) == (tuple("012456789"), "2 test images are left out, ")
    assert train.labels.max() == test.labels.max() == 8


def test_auto_chooses_by_size(load_stored):
    """250 images of 48 KiB have 11.7 MiB."""
    assert isinstance(load_stored("auto", resident_gib=0.0114).train.images, StoredImages)
    assert isinstance(load_stored("auto", resident_gib=0.0115).train.images, np.ndarray)
    assert isinstance(load_stored("auto", resident_gib=0.0114, image_size=64).train.images, np.ndarray)
    with pytest.raises(UserError, match="data.stream='on' is unknown"):
        load_stored("on")
    with pytest.raises(UserError, match="data.resident_gib=0"):
        load_stored("auto", resident_gib=0)


def test_a_set_that_cannot_be_streamed_is_refused(idx_folder, tmp_path):
    with pytest.raises(UserError, match="data.stream=always reads array_record files, and 'idx' comes from IDX"):
        sources.load("idx", str(idx_folder), stream="always")
    stream_set.prepare(tmp_path / "tfds", {"train": 6, "test": 2}, 24, file_format="tfrecord")
    kwargs = {"data_dir": str(tmp_path), "resident_gib": 1e-6}
    with pytest.raises(UserError, match="more than data.resident_gib.*convert_format --dataset_version_dir"):
        sources.load(NAME, **kwargs)
    assert len(sources.load(NAME, stream="never", **kwargs).train.images) == 6


def test_in_memory_is_a_fixed_sample_if_the_set_is_too_large(load_stored):
    stored = load_stored("always")
    sample = load_stored("always", resident_gib=100 * 3 * SIDE**2 / 2**30).in_memory()
    assert (len(sample.train.labels), len(sample.test.labels)) == (100, 20)
    chosen = stored._replace(train=stored.train).train.images.select(np.arange(230))
    second_sample = load_stored("always", resident_gib=100 * 3 * SIDE**2 / 2**30).in_memory()
    np.testing.assert_array_equal(sample.train.images, second_sample.train.images)
    label_of = {image.tobytes(): label for image, label in zip(chosen[:], stored.train.labels, strict=True)}
    assert [label_of[image.tobytes()] for image in sample.train.images] == sample.train.labels.tolist()
    assert sample.num_classes == stored.num_classes
    np.testing.assert_array_equal(stored.in_memory().train.images, stored.train.images[:])


def test_a_downloaded_set_is_prepared_for_streaming(tmp_path, monkeypatch):
    """A small data set is read into the cache once."""
    import tensorflow_datasets as tfds

    builder = stream_set.builder({"train": 6, "test": 2}, 24)
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: builder(data_dir=data_dir))
    monkeypatch.setattr(tfds_source, "names", lambda: [stream_set.NAME])
    monkeypatch.setattr(tfds_source, "can_download", lambda name: True)
    in_memory = sources.load(stream_set.NAME, data_dir=str(tmp_path / "memory"))
    streamed = sources.load(stream_set.NAME, data_dir=str(tmp_path / "streamed"), stream="always")
    assert in_memory.source == Source("TFDS download", str(tmp_path / "memory" / "tfds"))
    assert streamed.source == Source("TFDS download", str(tmp_path / "streamed" / "tfds"))
    np.testing.assert_array_equal(in_memory.train.images, streamed.train.images[:])
    prepared = sources.load(stream_set.NAME, data_dir=str(tmp_path / "memory"))
    assert prepared.source == Source("prepared copy", str(tmp_path / "memory" / "prepared"))
    np.testing.assert_array_equal(prepared.train.images, in_memory.train.images)


def fingerprint(folder):
    return sources.load(NAME, data_dir=str(folder), stream="always").fingerprint()


def test_missing_truncated_and_altered_files_are_named(stored_copy):
    folder, path = stored_copy
    original = path.read_bytes()
    before = fingerprint(folder)

    def error_message():
        with pytest.raises(DataUnavailable, match=path.name) as error:
            sources.load(NAME, "", "mnist_5k", data_dir=str(folder), stream="always")
        assert "\n" not in str(error.value)
        return str(error.value)

    path.unlink()
    assert "No such file" in error_message()
    for damaged in (
        original[: len(original) // 2],
        original[:-1],
        b"",
        original[: len(original) // 2] + b"\xff" * 9 + original[len(original) // 2 + 9 :],
    ):
        path.write_bytes(damaged)
        assert "cannot be read" in error_message()
    path.write_bytes(path.with_name(path.name.replace("train", "test")).read_bytes())
    assert "has 6 records" in error_message()
    path.write_bytes(original)
    assert fingerprint(folder) == before
    for manifest in (folder / "manifests").iterdir():
        manifest.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DataUnavailable, match="imagenet_shaped-.*npz cannot be read.*; delete it"):
        fingerprint(folder)
    shutil.rmtree(folder / "manifests")
    first, last = (path.with_name(path.name.replace("00001-of", f"0000{i}-of")) for i in (0, 2))
    first_content = first.read_bytes()
    first.write_bytes(last.read_bytes())
    last.write_bytes(first_content)
    assert fingerprint(folder) != before
