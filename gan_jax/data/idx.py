"""IDX files, the format of the original MNIST: a magic number, the length of each axis (all big-endian), the bytes."""

import gzip
import math
import pathlib
import struct
import zlib

import numpy as np

from gan_jax.data.dataset import Split
from gan_jax.system.errors import DataUnavailable

_MAX_BYTES = 4 << 30
_STEMS = {"train": "train", "test": "t10k"}


def find(folder: pathlib.Path, split: str, kind: str, axes: int) -> pathlib.Path:
    """The file of a split ("train", "test") and kind ("images", "labels"), under any of its usual names, .gz or not.

    DataUnavailable if the folder has none of them.
    """
    stem = _STEMS[split]
    names = [f"{stem}-{kind}{dot}idx{axes}-ubyte{gz}" for dot in "-." for gz in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataUnavailable(f"no {split} {kind} in {folder}: expected {names[0]} or {names[1]}; set --config.data.dir")


def read(path: pathlib.Path, axes: int) -> np.ndarray:
    """The uint8 array of a file with `axes` axes; DataUnavailable if the file is damaged or of another kind."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            header = file.read(4 + 4 * axes)
            if len(header) < 4 + 4 * axes:
                raise DataUnavailable(f"{path} is truncated: its header is not complete")
            magic, *shape = struct.unpack(f">I{axes}I", header)
            if magic != 0x0800 + axes:
                raise DataUnavailable(f"{path} is not an IDX file of bytes with {axes} axes (magic {magic:#010x})")
            size = math.prod(shape)
            if not 0 < size <= _MAX_BYTES:
                raise DataUnavailable(f"{path} announces {size} bytes, more than a data set has or none")
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataUnavailable(f"{path} cannot be read: {error}") from error
    if len(data) != size:
        problem = "truncated" if len(data) < size else "longer than announced"
        raise DataUnavailable(f"{path} is {problem}: its header promises {size} bytes of data")
    return np.frombuffer(data, np.uint8).reshape(shape)


def load_split(folder: pathlib.Path, split: str) -> Split:
    """The images and labels of one split."""
    images_path, labels_path = find(folder, split, "images", 3), find(folder, split, "labels", 1)
    images, labels = read(images_path, 3), read(labels_path, 1)
    if len(images) != len(labels):
        raise DataUnavailable(f"{images_path} holds {len(images)} images, {labels_path} {len(labels)} labels")
    return Split(images[..., None], labels.astype(np.int32))
