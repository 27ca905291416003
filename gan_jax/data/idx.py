"""IDX files, the format of the original MNIST: a magic number, the length of each axis (all big-endian), the bytes."""

import gzip
import hashlib
import math
import pathlib
import struct
import zlib

import numpy as np

from gan_jax.data.dataset import Split
from gan_jax.system.errors import DataUnavailable

_MAX_BYTES = 4 << 30
_STEMS = {"train": "train", "test": "t10k"}
_AXES = {"images": 3, "labels": 1}
EXAMPLE = "train-images-idx3-ubyte"
# sha256 of all images and labels of the original MNIST, first the training split
_MNIST = "bab833be44432887b8367c256dc3f6f37f73632c1eabcb1cbc894e04f779a312"


def _names(split: str, kind: str) -> list[str]:
    """The names under which a file is known."""
    stem, axes = _STEMS[split], _AXES[kind]
    return [f"{stem}-{kind}{dot}idx{axes}-ubyte{gz}" for dot in "-." for gz in ("", ".gz")]


def any_in(folder: pathlib.Path) -> bool:
    """Whether the folder has at least one of the four files."""
    return any((folder / name).is_file() for split in _STEMS for kind in _AXES for name in _names(split, kind))


def is_mnist(train: Split, test: Split) -> bool:
    """Whether these are the images and labels of MNIST, in the order of its files."""
    digest = hashlib.sha256()
    for array in (*train, *test):
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest() == _MNIST


def find(folder: pathlib.Path, split: str, kind: str) -> pathlib.Path:
    """The file of a split ("train", "test") and kind ("images", "labels"), under any of its usual names, .gz or not.

    DataUnavailable if the folder has none of them.
    """
    names = _names(split, kind)
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
    images_path, labels_path = find(folder, split, "images"), find(folder, split, "labels")
    images, labels = read(images_path, _AXES["images"]), read(labels_path, _AXES["labels"])
    if len(images) != len(labels):
        raise DataUnavailable(f"{images_path} holds {len(images)} images, {labels_path} {len(labels)} labels")
    return Split(images[..., None], labels.astype(np.int32))
