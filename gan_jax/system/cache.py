"""Files that are computed once and reused by later runs: prepared data, labels, classifiers, neighbours (.npz)."""

import logging
import os
import pathlib
import tempfile
from collections.abc import Mapping

import numpy as np

from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.system.files import atomic_write, disk_is_full


def folder(data_dir: str = "") -> pathlib.Path:
    """The folder of all cached files: `data_dir`, from --data_dir; if it is "", the user's cache folder.

    The user's cache folder is $XDG_CACHE_HOME/gan_jax, or ~/.cache/gan_jax if the variable is not set.
    """
    user_folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "gan_jax"
    if "://" in data_dir:
        raise UserError(f"--data_dir={data_dir} is an address; give a folder of this machine")
    try:
        return pathlib.Path(data_dir or user_folder).expanduser()
    except RuntimeError:  # The user has no home folder.
        return pathlib.Path(tempfile.gettempdir()) / f"gan_jax-{os.getuid()}"


def read(path: pathlib.Path, what: str) -> dict[str, np.ndarray]:
    """The arrays of a file that `write` wrote, by name. DataUnavailable if the file is damaged.

    what: the kind of the file, for the message.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # zipfile, zlib, EOFError, ...: the remedy is the same for all of them.
        raise damaged(path, what, error) from error


def damaged(path: pathlib.Path, what: str, error: Exception) -> DataUnavailable:
    """The error to raise if a file has the wrong contents, even if it can be read."""
    return DataUnavailable(f"{what} {path} is damaged ({error}); delete it and run again")


def write(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the file atomically, in a folder that only the user can read.

    If the system refuses the path, the arrays are not kept, with a warning: they can be computed again.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with atomic_write(path) as partial:
            np.savez(partial, **arrays)
    except OSError as error:
        if disk_is_full(error):
            raise
        logging.getLogger(__name__).warning(
            "%s is not kept for later runs (%s); --data_dir or XDG_CACHE_HOME names another folder",
            path.name,
            error.strerror,
        )
