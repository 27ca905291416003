"""Data sets of the library `datasets` (Hugging Face): of its hub, in .parquet files, in folders that it reads or wrote.

The library gives the pictures as they are stored; this project decodes them, like those of a folder. What it downloads
and converts, it keeps in its own cache (the environment variable HF_HOME).
"""

import contextlib
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from gan_jax.data.hf_table import Columns, picture_set
from gan_jax.data.pictures.types import PictureSet
from gan_jax.system import network
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.system.extras import install
from gan_jax.system.files import disk_is_full

_PREFIX = "hf:"
_HUB_NAME = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"


def is_name(name: str) -> bool:
    """Whether data.name names a set of this library."""
    return name.startswith(_PREFIX)


def local_path(name: str) -> str:
    """PATH of hf:PATH; "" for the name of a set of the hub. A path begins with / . or ~, or it exists."""
    text = name.removeprefix(_PREFIX) if is_name(name) else ""
    with contextlib.suppress(OSError, ValueError):  # The name is too long, or contains a zero byte.
        is_address = text.startswith("//")
        if not is_address and (text.startswith(("/", ".", "~")) or os.path.exists(text)):
            return text
    return ""


def read_files(path: pathlib.Path, columns: Columns) -> PictureSet:
    """The set in a .parquet file, in a folder of `save_to_disk`, or in another folder that `load_dataset` reads."""
    datasets, has_pattern = _import(), set("*?[") & set(str(path))
    advice = "rename it: the library takes * ? [ for a pattern" if has_pattern else "restore it, or give another path"
    with _quiet(datasets, offline=True), _errors(str(path), advice):
        if path.is_file():
            found = datasets.load_dataset("parquet", data_files={"train": _literal(path)})
        elif any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
            found = datasets.load_from_disk(str(path))
        else:
            found = datasets.load_dataset(str(path))
        return _pictures(datasets, found, str(path), columns)


def read_hub(name: str, columns: Columns) -> PictureSet:
    """The set hf:OWNER/NAME or hf:OWNER/NAME:CONFIG of the hub, from the cache of the library or downloaded.

    DataUnavailable after seconds, if it is not in the cache and the hub cannot be reached.
    """
    repository, _, config = name.removeprefix(_PREFIX).partition(":")
    # Without an owner, the library takes some names for its own readers, and reads files of the working folder.
    if not re.fullmatch(_HUB_NAME, repository):
        raise UserError(
            f"data.name={name}: write hf:OWNER/NAME for a set of the hub, or hf:PATH with a path that exists"
        )
    datasets = _import()
    from huggingface_hub import constants

    offline = constants.is_offline_mode() or not network.answers(constants.ENDPOINT)
    with _quiet(datasets, offline), _errors(name, "check the name, and that you may download it"):
        try:
            found = datasets.load_dataset(repository, config or None)
        except ConnectionError as error:
            raise DataUnavailable(
                f"{name} is no path here, it is not in the cache of datasets (HF_HOME), and its hub cannot be reached; "
                "on a machine with a network, save_to_disk of datasets makes a folder for --config.data.name=hf:PATH"
            ) from error
        return _pictures(datasets, found, name, columns)


def _import() -> ModuleType:
    """The library. DataUnavailable if it is not installed."""
    try:
        import datasets
    except ImportError as error:
        raise DataUnavailable(f"hf sets are read with datasets ({error}): {install('hf')}") from None
    return datasets


@contextlib.contextmanager
def _quiet(datasets: ModuleType, offline: bool) -> Iterator[None]:
    """Inside `with`, the library logs nothing, and has progress bars on a terminal only.

    offline: whether it uses no network, so that it does not retry for minutes.
    """
    from datasets.utils import logging
    from huggingface_hub import constants
    from huggingface_hub import utils as hub

    loggers, flagged = (logging, hub.logging), (datasets.config, constants)
    verbosities, flags = [log.get_verbosity() for log in loggers], [module.HF_HUB_OFFLINE for module in flagged]
    bars = [module for module in (datasets, hub) if not module.are_progress_bars_disabled()]
    for log in loggers:
        log.set_verbosity(log.CRITICAL)
    for module in flagged:
        module.HF_HUB_OFFLINE = offline
    for module in bars if not sys.stderr.isatty() else ():
        module.disable_progress_bars()
    try:
        yield
    finally:
        for log, verbosity in zip(loggers, verbosities, strict=True):
            log.set_verbosity(verbosity)
        for module, flag in zip(flagged, flags, strict=True):
            module.HF_HUB_OFFLINE = flag
        for module in bars:
            module.enable_progress_bars()


@contextlib.contextmanager
def _errors(what: str, advice: str) -> Iterator[None]:
    """Inside `with`, every error of the library becomes DataUnavailable with its first line and `advice`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # The library raises many classes of errors, also those of Arrow and of the network.
        if disk_is_full(error) or isinstance(error, MemoryError):
            raise
        first = error
        while type(first).__name__ == "DatasetGenerationError" and first.__cause__:  # It says only that one happened.
            first = first.__cause__
        reason = (str(first).strip().splitlines() or [type(first).__name__])[0].rstrip(".")
        raise DataUnavailable(f"{what} cannot be read: {reason}; {advice}") from error


def _literal(path: pathlib.Path) -> str:
    """The path as a pattern that matches nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _pictures(datasets: ModuleType, found: Any, origin: str, columns: Columns) -> PictureSet:
    """The pictures of a DatasetDict, or of one Dataset as training images."""
    tables = found if isinstance(found, dict) else {"train": found}
    return picture_set(
        tables, origin, columns, lambda table, name: table.cast_column(name, datasets.Image(decode=False))
    )
