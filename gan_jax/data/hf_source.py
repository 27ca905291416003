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
from gan_jax.system.files import disk_is_full

_PREFIX = "hf:"
_HUB_NAME = r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?"


def is_name(name: str) -> bool:
    """Whether data.name names a set of this library."""
    return name.startswith(_PREFIX)


def local_path(name: str) -> str:
    """PATH of hf:PATH; "" for the name of a set of the hub. A path begins with / . or ~, or it exists."""
    text = name.removeprefix(_PREFIX) if is_name(name) else ""
    with contextlib.suppress(OSError, ValueError):  # The name is too long, or contains a zero byte.
        if text.startswith(("/", ".", "~")) or os.path.exists(text):
            return text
    return ""


def read_files(path: pathlib.Path, columns: Columns) -> PictureSet:
    """The set in a .parquet file, in a folder of `save_to_disk`, or in another folder that `load_dataset` reads."""
    datasets = _import()
    with _quiet(datasets, offline=True), _errors(str(path), "restore it, or give another path"):
        if path.is_file():
            # A table {split: files} is also right for a name with characters of a pattern.
            found = datasets.load_dataset("parquet", data_files={"train": _literal(path)})
        elif any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
            found = datasets.load_from_disk(str(path))
        else:
            found = datasets.load_dataset(str(path))
        return _pictures(datasets, found, str(path), columns)


def read_hub(name: str, columns: Columns) -> PictureSet:
    """The set hf:NAME or hf:NAME:CONFIG of the hub, from the cache of the library or downloaded.

    DataUnavailable after seconds, if it is not in the cache and the hub cannot be reached.
    """
    repository, _, config = name.removeprefix(_PREFIX).partition(":")
    if not re.fullmatch(_HUB_NAME, repository):
        raise UserError(f"data.name={name}: write hf:NAME, hf:OWNER/NAME, or hf: and a path that exists")
    datasets = _import()
    from huggingface_hub import constants

    is_offline = constants.is_offline_mode() or not network.answers(constants.ENDPOINT)
    advice = (
        "the hub cannot be reached and the set is not in its cache, HF_HOME; on a machine with a network, save_to_disk "
        "makes a folder for --config.data.name=hf:PATH"
        if is_offline
        else "check the name, and that you may download it"
    )
    with _quiet(datasets, is_offline), _errors(name, advice):
        return _pictures(datasets, datasets.load_dataset(repository, config or None), name, columns)


def _import() -> ModuleType:
    """The library. DataUnavailable if it is not installed."""
    try:
        import datasets
    except ImportError as error:
        raise DataUnavailable(f"hf sets are read with datasets ({error}); install requirements-hf.txt") from None
    return datasets


@contextlib.contextmanager
def _quiet(datasets: ModuleType, offline: bool) -> Iterator[None]:
    """Inside `with`, the library logs errors only, and has progress bars on a terminal only.

    offline: whether it uses no network, so that it does not retry for minutes.
    """
    from datasets.utils import logging
    from huggingface_hub import constants
    from huggingface_hub.utils import logging as hub_logging

    loggers = (logging, hub_logging)
    verbosities = [log.get_verbosity() for log in loggers]
    had_bars = datasets.are_progress_bars_disabled() is False
    flags = [(datasets.config, "HF_HUB_OFFLINE"), (constants, "HF_HUB_OFFLINE")]
    before = [getattr(module, flag) for module, flag in flags]
    for log in loggers:
        log.set_verbosity_error()
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    for module, flag in flags:
        setattr(module, flag, offline)
    try:
        yield
    finally:
        for (module, flag), value in zip(flags, before, strict=True):
            setattr(module, flag, value)
        for log, verbosity in zip(loggers, verbosities, strict=True):
            log.set_verbosity(verbosity)
        if had_bars:
            datasets.enable_progress_bars()


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
