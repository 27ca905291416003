"""What is finished before a command trains: runs in its workdir, found by their configs, and seeds in files of results.

So neither a new key of the config nor a missing workdir makes a finished arm train again.
"""

import pathlib
from collections.abc import Container
from typing import NamedTuple

from experiments.ablations import one_run
from experiments.ablations.plan import HASH_DIGITS, Arm
from experiments.jobs.folders import Folders
from gan_jax.runs.protocol import SCORES_VERSION
from gan_jax.system import recorded
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table


class Finished(NamedTuple):
    """arms: with the hash that each had in its finished runs. seeds: (hash, seed) -> a record in a file of results."""

    arms: list[Arm]
    seeds: dict[tuple[str, int], dict]


def find(arms: list[Arm], workdir: pathlib.Path, output: pathlib.Path, preset: str) -> Finished:
    """The runs of these arms that are finished in `workdir`, or as results of this preset in `output`."""
    folders, tables, named, seeds = Folders(workdir, HASH_DIGITS), {}, [], {}
    for arm in arms:
        path = output / arm.file_name
        if path not in tables:
            tables[path] = read_table(path, "remove it, or choose another --output") if path.is_file() else {}
        entry = _entry(arm, tables[path]) if tables[path].get("preset") == preset else {}
        name = folders.name(arm.config)
        if entry and not (workdir / name).is_dir():
            name = entry["hash"]
        named.append(arm._replace(hash=name))
        for seed, record in entry.get("seeds", {}).items():
            if record["status"] in one_run.ENDED:
                shared = {key: tables[path][key] for key in ("protocol", "provenance")}
                seeds[name, int(seed)] = record | shared
    return Finished(named, seeds)


def _entry(arm: Arm, table: dict) -> dict:
    """The entry of an arm in a file of results; {} if it is absent, or of another length, data or number of images."""
    entry = table["arms"].get(arm.name, {})
    config, protocol = arm.config, table["protocol"]
    now = (config.num_steps, config.eval.at_end_num_images, config.eval.num_images, config.data.name)
    then = (entry.get("steps"), *(protocol.get(key) for key in ("num_images", "validation_images", "requested_data")))
    is_same = now == then and recorded.flat(entry["overrides"]) == recorded.flat(arm.overrides)
    return entry if is_same else {}


def check_versions(finished: Finished, to_train: Container[str], output: pathlib.Path) -> None:
    """UserError if new seeds would stand in one file with scores of an earlier version. to_train: hashes of runs."""
    studies = {(arm.study, arm.base) for arm in finished.arms if arm.hash in to_train}
    for arm in finished.arms:
        of_arm = [record for (name, _), record in finished.seeds.items() if name == arm.hash]
        older = [record for record in of_arm if record["protocol"].get("scores_version", 1) != SCORES_VERSION]
        if older and (arm.study, arm.base) in studies:
            raise UserError(
                f"{output / arm.file_name} has scores of an earlier version, beside which new seeds "
                "cannot stand; choose another --output, for which all seeds are trained"
            )
