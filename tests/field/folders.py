"""Splits of noise, prepared copies of them, and folders of IDX files with given images and labels."""

import numpy as np

from gan_jax.data import prepared
from gan_jax.data.dataset import Split
from tests.tiny import IDX_NAMES, idx_bytes


def write_folder(folder, **splits):
    """train=(size, (height, width), labels), test=...: images of noise, whose labels are repeated."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, (size, sides, labels) in splits.items():
        arrays = {"images": rng.integers(0, 256, (size, *sides)), "labels": np.resize(labels, size)}
        for kind, array in arrays.items():
            name = IDX_NAMES[f"{split}_{kind}"].removesuffix(".gz")
            (folder / name).write_bytes(idx_bytes(array.astype(np.uint8)))
    return str(folder)


def noise(size, seed=0):
    """A split of three classes."""
    images = np.random.default_rng(seed).integers(0, 256, (size, 9, 9, 1)).astype(np.uint8)
    return Split(images, (np.arange(size) % 3).astype(np.int32))


def write_prepared(cache, *splits, name="mnist"):
    """A prepared copy in a cache folder."""
    prepared.write(prepared.path_in(cache / "prepared", name), splits or (noise(12), noise(6)))
