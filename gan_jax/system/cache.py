"""What is made once and kept between runs, as arrays in .npz files: prepared data, labels, classifiers, neighbours."""

import os
import pathlib
from collections.abc import Mapping

import numpy as np

from gan_jax.system.errors import DataUnavailable
from gan_jax.system.files import atomic_write


def folder(data_dir: str = "") -> pathlib.Path:
    """Where everything is kept: the folder that --data_dir names; "" for the user's cache folder.

    That is $XDG_CACHE_HOME/gan_jax, ~/.cache/gan_jax where the variable is not set.
    """
    users = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "gan_jax"
    return pathlib.Path(data_dir or users).expanduser()


def read(path: pathlib.Path, what: str) -> dict[str, np.ndarray]:
    """What `write` wrote; DataUnavailable names `what` and the file where it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # zipfile, zlib, EOFError, ...: whatever is wrong, the remedy is the same.
        raise damaged(path, what, error) from error


def damaged(path: pathlib.Path, what: str, error: Exception) -> DataUnavailable:
    """What to raise for a file that can be read and holds something else."""
    return DataUnavailable(f"{what} {path} is damaged ({error}); delete it and run again")


def write(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """The whole file or nothing, in a folder that only its user reads."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with atomic_write(path) as partial:
        np.savez(partial, **arrays)
