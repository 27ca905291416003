"""The data set of a run: loading it, describing it in run.json, and checking it when the run continues."""

import pathlib

from ml_collections import ConfigDict

from gan_jax.data import sources
from gan_jax.data.classes import numbered
from gan_jax.data.dataset import Dataset, Source, hold_out
from gan_jax.system.errors import DataUnavailable

_FOLDER = "source_folder"  # the key of run.json's data that is valid on one machine only


def load_data(config: ConfigDict, data_dir: str) -> Dataset:
    """The data set that the config names, with its validation split."""
    section = config.data
    dataset = sources.load(
        section.name,
        section.dir,
        section.fallback,
        section.image_size,
        section.channels,
        data_dir,
        section.stream,
        section.resident_gib,
        section.resize,
    )
    return hold_out(dataset, section.num_validation)


def describe(dataset: Dataset) -> dict:
    """The entry "data" of run.json.

    It has `notes` only if there are any, `source_folder` only if the source has a folder, and `streamed` only if the
    images stay in files.
    """
    description = {
        "requested": dataset.requested,
        "used": dataset.name,
        "source": dataset.source.kind,
        "fingerprint": dataset.fingerprint(),
        "num_train": len(dataset.train.labels),
        "num_test": len(dataset.test.labels),
        "num_validation": len(dataset.validation.labels) if dataset.validation else 0,
        "image_shape": list(dataset.image_shape),
        "num_classes": dataset.num_classes,
        "classes": list(dataset.class_names),
    }
    if dataset.notes:
        description["notes"] = list(dataset.notes)
    if dataset.source.folder:
        description[_FOLDER] = dataset.source.folder
    return description | {"streamed": True} if dataset.is_streamed else description


def class_names(data: dict) -> tuple[str, ...]:
    """The names of the classes in a result of `describe`; older runs did not record them, and had numbers."""
    return tuple(data["classes"]) if "classes" in data else numbered(data["num_classes"])


def without_source_folder(data: dict) -> dict:
    """The result of `describe` without the folder on this machine, for published results."""
    return {name: value for name, value in data.items() if name != _FOLDER}


def scoring_data(path: str | pathlib.Path, config: ConfigDict, run: dict, data_dir: str) -> Dataset:
    """The data set that the run in `path` was trained on, in memory (see `Dataset.in_memory`).

    run: content of the run's run.json.
    Raises DataUnavailable if the config now loads other data.
    """
    dataset = load_data(config, data_dir)
    check_data(path, run["data"], describe(dataset))
    return dataset.in_memory()


def check_data(path: str | pathlib.Path, before: dict, now: dict) -> None:
    """DataUnavailable if the data of a run have changed. before, now: results of `describe`."""
    if before["fingerprint"] != now["fingerprint"]:
        raise DataUnavailable(
            f"the run in {path} was trained on {_origin(before)}; found {_origin(now)}, which has other images. "
            "Restore the first, or choose another workdir"
        )


def _origin(data: dict) -> str:
    """Name and source of the data in a result of `describe`, for error messages."""
    return f"{data['used']} from {Source(data['source'], data.get(_FOLDER, ''))}"
