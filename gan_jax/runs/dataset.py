"""The data set of a run: loaded by its config, described in run.json, checked when the run is taken up again."""

import pathlib

from ml_collections import ConfigDict

from gan_jax.data import sources
from gan_jax.data.dataset import Dataset, Source, hold_out
from gan_jax.system.errors import DataUnavailable

_FOLDER = "source_folder"  # the key of run.json's data that is true on one machine alone


def load_data(config: ConfigDict, data_dir: str) -> Dataset:
    """The data set that the config names, with its validation images set apart."""
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
    )
    return hold_out(dataset, section.num_validation)


def describe(dataset: Dataset) -> dict:
    """What run.json says of the data: `source_folder` if the source has one, `streamed` if the images stay in files."""
    about = {
        "requested": dataset.requested,
        "used": dataset.name,
        "source": dataset.source.kind,
        "fingerprint": dataset.fingerprint(),
        "num_train": len(dataset.train.labels),
        "num_test": len(dataset.test.labels),
        "num_validation": len(dataset.validation.labels) if dataset.validation else 0,
        "image_shape": list(dataset.image_shape),
        "num_classes": dataset.num_classes,
    }
    if dataset.source.folder:
        about[_FOLDER] = dataset.source.folder
    return about | {"streamed": True} if dataset.is_streamed else about


def without_place(data: dict) -> dict:
    """What `describe` says, without the folder on one machine: for results that are published."""
    return {name: value for name, value in data.items() if name != _FOLDER}


def scoring_data(path: str | pathlib.Path, config: ConfigDict, run: dict, data_dir: str) -> Dataset:
    """The data that the run in `path` was trained on, in memory; of a streamed set, as much as is allowed there.

    run: its run.json. DataUnavailable where what is found now is other data.
    """
    dataset = load_data(config, data_dir)
    check_data(path, run["data"], describe(dataset))
    return dataset.in_memory()


def check_data(path: str | pathlib.Path, before: dict, now: dict) -> None:
    """DataUnavailable where a run's data is not the data it was trained on."""
    if before["fingerprint"] != now["fingerprint"]:
        raise DataUnavailable(
            f"the run in {path} was trained on {_origin(before)}; found {_origin(now)}, which holds other images. "
            "Restore the first, or choose another workdir"
        )


def _origin(data: dict) -> str:
    """What `describe` says of where images come from, for a message."""
    return f"{data['used']} from {Source(data['source'], data.get(_FOLDER, ''))}"
