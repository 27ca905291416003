"""The data set of a run: loading it, describing it in run.json, and finding it again when the run continues.

The fingerprint says what the data of a run are. Their name and their folder only help to find them.
"""

import json
import logging
import os
import pathlib

from ml_collections import ConfigDict

from gan_jax.data import hf_source, sources
from gan_jax.data.classes import numbered
from gan_jax.data.dataset import Dataset, Source, hold_out
from gan_jax.data.find import OF_FILES, named_path
from gan_jax.data.settings import Settings
from gan_jax.devices import hosts
from gan_jax.runs.workdir import Workdir
from gan_jax.system.errors import DataUnavailable, NotOnThisMachine, UserError

_FOLDER = "source_folder"  # the key of run.json's data that is valid on one machine only


def load_data(section: ConfigDict, data_dir: str, path: str = "") -> Dataset:
    """The data set that the config names, with its validation split.

    section: config.data.
    path: the workdir of a run that may continue. If it has been started with the same settings, the set is the one that
    its run.json records, even if the config would find another one today.
    """
    recorded = _recorded(section, path) if path else None
    if recorded:
        dataset = _load_recorded(path, section, recorded, data_dir)
        if dataset.requested != dataset.name:
            message = "the run in %s began with %s instead of %s, and goes on with it"
            logging.getLogger(__name__).warning(message, path, dataset.name, dataset.requested)
        return dataset
    return _load(section, section.name, section.dir, section.fallback, data_dir)


def _recorded(section: ConfigDict, path: str) -> dict | None:
    """The data in the run.json of `path`; None if there is none, or if the config names another set or folder.

    Process 0 reads it and tells the others, which have no workdir.
    """
    data = None
    if hosts.leads():
        workdir = Workdir(path)
        data = workdir.run().get("data")
        _, folder = named_path(section.name, section.dir)
        is_there = bool(folder) and os.path.exists(os.path.expanduser(folder))
        if data and (is_there or _request(workdir.config().data) != _request(section)):
            data = None
    return json.loads(hosts.text_from_leader(json.dumps(data)))


def _request(section: ConfigDict) -> tuple[str, str, str]:
    return section.name, section.dir, section.fallback


def _load(section: ConfigDict, name: str, folder: str, fallback: str, data_dir: str) -> Dataset:
    options = {field: section[field] for field in Settings._fields}
    return hold_out(sources.load(name, folder, fallback, data_dir, **options), section.num_validation)


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


def scoring_data(path: str | pathlib.Path, section: ConfigDict, run: dict, data_dir: str, folder: str = "") -> Dataset:
    """The data set that the run in `path` was trained on, in memory (see `Dataset.in_memory`).

    section: config.data of the run.
    run: content of the run's run.json.
    folder: where the data are now; "": where run.json says, or where they are found by their name.
    Raises DataUnavailable if they are not found there, or if they have other images now.
    """
    if folder:
        dataset = _load(section, run["data"]["used"], folder, "", data_dir)
        check_data(path, run["data"], describe(dataset))
        return _as_requested(dataset, run["data"]).in_memory()
    return _load_recorded(path, section, run["data"], data_dir).in_memory()


def _load_recorded(path: str | pathlib.Path, section: ConfigDict, recorded: dict, data_dir: str) -> Dataset:
    """The data set with the fingerprint that run.json records, from its folder or from where its name is found today.

    Raises DataUnavailable if there is none.
    """
    used, other, reasons = recorded["used"], None, []
    # The folder of the config is for older runs, which did not record theirs.
    for folder in dict.fromkeys([recorded.get(_FOLDER, ""), section.dir, ""]):
        if not folder and used in OF_FILES:
            continue
        try:
            dataset = _load(section, used, folder, "", data_dir)
        except UserError as error:
            is_missing = folder and isinstance(error, NotOnThisMachine)
            reasons.append(f"it is not in {folder}" if is_missing else str(error))
            continue
        now = describe(dataset)
        if now["fingerprint"] == recorded["fingerprint"]:
            return _as_requested(dataset, recorded)
        other = other or now
    if other:
        check_data(path, recorded, other)
    cache = "" if used in OF_FILES or hf_source.is_name(used) else ", or the cache folder: --data_dir=FOLDER"
    raise DataUnavailable(
        f"the run in {path} was trained on {_origin(recorded)}: {'; '.join(reasons)}. If the images are elsewhere now, "
        f"say where: --config.data.dir=PATH{cache}"
    )


def _as_requested(dataset: Dataset, recorded: dict) -> Dataset:
    """The data set of a run, with the name of the set for which it stands in, if it is a fallback."""
    is_fallback = recorded["requested"] != recorded["used"]
    return dataset._replace(requested=recorded["requested"] if is_fallback else dataset.name)


def check_data(path: str | pathlib.Path, before: dict, now: dict) -> None:
    """DataUnavailable if the data of a run have changed. before, now: results of `describe`."""
    if before["fingerprint"] == now["fingerprint"]:
        return
    was_streamed, is_streamed = (bool(data.get("streamed")) for data in (before, now))
    if was_streamed != is_streamed:
        raise DataUnavailable(
            f"the images of the run in {path} were {'read from files' if was_streamed else 'in memory'}, and are not "
            f"now, so they cannot be compared: set --config.data.stream={'always' if was_streamed else 'never'}"
        )
    counts = ("num_train", "num_test", "num_validation", "image_shape", "num_classes")
    changed = [f"{key} {before[key]} -> {now[key]}" for key in counts if key in before and before[key] != now[key]]
    changes = f" ({', '.join(changed)})" if changed else ""
    raise DataUnavailable(
        f"the run in {path} was trained on {_origin(before)}; found {_origin(now)}, which has other images{changes}. "
        "Restore the first, give its folder by --config.data.dir=FOLDER, or choose another workdir"
    )


def _origin(data: dict) -> str:
    """Name and source of the data in a result of `describe`, for error messages."""
    return f"{data['used']} from {Source(data['source'], data.get(_FOLDER, ''))}"
