"""Strict arithmetic for every test, and a small data set as files."""

import gzip
import struct

import jax
import numpy as np
import pytest

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


@pytest.fixture
def idx_folder(tmp_path):
    """A small data set of 12 + 6 images as IDX files, gzipped or not, in both spellings."""
    folder = tmp_path / "idx"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, size in (("train", 12), ("test", 6)):
        arrays = {"images": rng.integers(0, 256, (size, 9, 9)), "labels": np.arange(size) % 3}
        for kind, array in arrays.items():
            data, name = idx_bytes(array.astype(np.uint8)), IDX_NAMES[f"{split}_{kind}"]
            (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder
