"""The records of the runs as one file a study and base, and a grid of samples for each run."""

import json
import pathlib
import shutil
from collections.abc import Iterable
from typing import NamedTuple

from experiments.ablations import one_run, plan
from experiments.ablations.plan import Arm
from gan_jax.runs.dataset import without_source_folder
from gan_jax.runs.workdir import Workdir
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.system.files import read_table, write_text


class Campaign(NamedTuple):
    """What a command was asked for."""

    arms: list[Arm]
    preset: str
    steps: int
    seeds: int
    workdir: pathlib.Path
    output: pathlib.Path


def output_folder(given: str, usual: str, workdir: pathlib.Path, preset: str, arms: Iterable[Arm]) -> pathlib.Path:
    """Where results go: as given, else the usual folder; quick results never take the place of the full preset's."""
    folder = pathlib.Path(given or usual)
    paths = [folder / f"{study}@{base}.json" for study, base in {(arm.study, arm.base) for arm in arms}]
    remedy = "remove it, or choose another --output"
    full = [path for path in sorted(paths) if path.is_file() and read_table(path, remedy).get("preset") == "full"]
    if preset != "quick" or not full:
        return folder
    if given:
        raise UserError(f"{full[0]} holds results of the full preset; choose another --output for quick ones")
    return workdir / "results"


def missing(campaign: Campaign) -> dict[str, list[int]]:
    """hash -> the seeds of a run without a final record."""
    found = {}
    for name in plan.distinct(campaign.arms):
        records = {seed: one_run.read(campaign.workdir / name, seed) for seed in range(campaign.seeds)}
        left = [seed for seed, record in records.items() if not record or record["status"] not in one_run.ENDED]
        if left:
            found[name] = left
    return found


def write(campaign: Campaign, names: Iterable[str]) -> None:
    """Rewrites the files of every study that has an arm among these runs, and the runs' grids."""
    names = set(names)
    (campaign.output / "grids").mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        if grid := Workdir(str(campaign.workdir / name / "seed-0")).last_grid():
            shutil.copy(grid, campaign.output / "grids" / f"{name}-seed0.png")
    for study, base in sorted({(arm.study, arm.base) for arm in campaign.arms if arm.hash in names}):
        text = json.dumps(_table(campaign, study, base), allow_nan=False) + "\n"
        write_text(campaign.output / f"{study}@{base}.json", text)


def _table(campaign: Campaign, study: str, base: str) -> dict:
    """The content of a study's file on one base."""
    source, arms, records = plan.module(study), {}, []
    for arm in campaign.arms:
        if (arm.study, arm.base) != (study, base):
            continue
        found = {seed: one_run.read(campaign.workdir / arm.hash, seed) for seed in range(campaign.seeds)}
        found = {str(seed): record for seed, record in found.items() if record}
        records += found.values()
        if found:
            arms[arm.name] = {
                "spelled": arm.spelled,
                "hash": arm.hash,
                "overrides": arm.overrides,
                "steps": arm.config.num_steps,
                "seeds": {seed: _without(record, "protocol", "provenance") for seed, record in found.items()},
            }
    return {
        "study": study,
        "base": base,
        "baseline": source.BASELINE[base],
        "tuned": base != "tutorial",
        "preset": campaign.preset,
        "steps": campaign.steps,
        "seeds": campaign.seeds,
        "question": source.__doc__.strip().splitlines()[0],
        "protocol": _protocol(campaign, records),
        "provenance": _provenance(records),
        "arms": arms,
    }


def _without(record: dict, *names: str) -> dict:
    return {name: value for name, value in record.items() if name not in names}


def _protocol(campaign: Campaign, records: list[dict]) -> dict:
    """What is the same for all; also the value for real images of a score that only conditional arms have.

    DataUnavailable where scores are in features of several classifiers.
    """
    if len(named := {one["protocol"]["features"] for one in records if one["protocol"]}) > 1:
        raise DataUnavailable(
            f"runs of one study were scored by {' and '.join(sorted(named))}, whose scores cannot be compared; choose "
            "another --workdir"
        )
    section = campaign.arms[0].config.eval
    merged = {"num_images": section.at_end_num_images, "validation_images": section.num_images}
    for record in records:
        merged = record["protocol"] | merged
    return merged


def _provenance(records: list[dict]) -> dict:
    """That of the first record, with every commit; DataUnavailable where runs saw different images."""
    known = [record["provenance"] for record in records if "data" in record["provenance"]]
    if not known:
        return {}
    if len({one["data"]["fingerprint"] for one in known}) > 1:
        used = " and ".join(sorted({f"{one['data']['used']} ({one['data']['source']})" for one in known}))
        raise DataUnavailable(f"runs of one study were trained on {used}; choose another --workdir for the new data")
    return known[0] | {
        "data": without_source_folder(known[0]["data"]),
        "commits": sorted({one["commit"] for one in known}),
    }
