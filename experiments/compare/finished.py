"""Finished runs as a comparison: nothing is trained, and each folder's evaluation.json gives its scores."""

import pathlib

from experiments.ablations import one_run
from experiments.compare.arms import Arm
from experiments.jobs.records import provenance
from experiments.reporting.results import Study, parse
from gan_jax.runs.protocol import DEFAULT_PROTOCOL
from gan_jax.runs.records import read_metrics
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table

_SAME = ("features", "split", "num_real", "num_generated", "data", "seed")  # of an evaluation


def _protocol_file(workdirs: list[Workdir]) -> str:
    """The name of the file with the scores: evaluation.json if all runs have it, otherwise the one that all have."""
    for workdir in workdirs:
        if not workdir.run():
            raise UserError(f"{workdir.path} holds no run")
    scored = [workdir for workdir in workdirs if workdir.run()["status"] in one_run.ENDED]
    names = [{path.name for path in workdir.path.glob("evaluation*.json")} for workdir in scored]
    shared = set.intersection(*names) if names else set()
    if DEFAULT_PROTOCOL.file_name in shared or not scored:
        return DEFAULT_PROTOCOL.file_name
    if len(shared) == 1:
        return shared.pop()
    missing = next((w for w in scored if not (w.path / DEFAULT_PROTOCOL.file_name).is_file()), scored[0])
    raise UserError(f"{missing.path} has no scores: python -m gan_jax.evaluate --workdir {missing.path}")


def _record(workdir: Workdir, protocol_file: str) -> tuple[dict, dict]:
    """(the record of a run as the ablation studies have it, its evaluation)."""
    run, path = workdir.run(), workdir.path / protocol_file
    evaluation = read_table(path, "evaluate the run again") if path.is_file() else {}
    record = {key: run.get(key) for key in ("status", "step", "seconds")}
    return record | {"final": evaluation, "curves": one_run.curves(read_metrics(workdir.metrics))}, evaluation


def study_of(arms: dict[str, list[str]]) -> Study:
    """The runs of all arms as a study. arms: name -> folders; the first is the base.

    UserError for a folder without a scored run, a folder that is named twice, runs of one arm with different configs,
    or scores that cannot be compared.
    """
    every = [folder for folders in arms.values() for folder in folders]
    if twice := {folder for folder in every if every.count(folder) > 1}:
        raise UserError(f"{sorted(twice)[0]} is named twice")
    records, first, protocol_file = {}, None, _protocol_file([Workdir(folder) for folder in every])
    for name, folders in arms.items():
        workdirs = [Workdir(folder) for folder in folders]
        _check_one_config(workdirs)
        records[name] = {}
        for index, workdir in enumerate(workdirs):
            records[name][str(index)], evaluation = _record(workdir, protocol_file)
            first = first or evaluation
            for key in _SAME if evaluation else ():
                if evaluation.get(key) != first.get(key):
                    raise UserError(f"{workdir.path} has {key}={evaluation.get(key)}, others {first.get(key)}")
    return parse(
        {
            "study": "comparison",
            "base": next(iter(arms)),
            "baseline": next(iter(arms)),
            "preset": "full",
            "protocol": {"features": (first or {}).get("features")},
            "provenance": provenance(Workdir(every[0]).run()),
            "seeds": 0,
            "arms": {name: {"seeds": by_seed, "overrides": {}} for name, by_seed in records.items()},
        }
    )


def _check_one_config(workdirs: list[Workdir]) -> None:
    """UserError if runs of one arm differ in more than the seed."""
    first = workdirs[0].config()
    for workdir in workdirs[1:]:
        other = [text for text in configs.differences(first, workdir.config()) if not text.startswith("seed")]
        if other:
            raise UserError(f"{workdir.path} is not the same config as {workdirs[0].path}: {other[0]}")


def arms_of(folders_of: dict[str, list[str]]) -> list[Arm]:
    """The arms of finished runs, each with the config of its first run."""
    return [Arm(name, " ".join(folders), Workdir(folders[0]).config(), "") for name, folders in folders_of.items()]


def folders(typed: list[str], flag: str) -> list[str]:
    """The workdirs that were typed, of a run of several seeds each seed's; UserError for one that does not exist."""
    found = []
    for folder in typed:
        if not pathlib.Path(folder).is_dir():
            raise UserError(f"{flag}: {folder} is no folder")
        seeds = sorted(map(str, pathlib.Path(folder).glob("seed-*/")))
        found += seeds or [folder]
    return found
