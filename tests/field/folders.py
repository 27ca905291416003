"""Folders of IDX files with given images and labels."""

import numpy as np

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
