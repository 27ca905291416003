"""Writes one file of results per study and base, and one grid of samples per run."""

import json
import pathlib
import shutil
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from experiments.ablations import one_run, plan
from experiments.ablations.plan import Arm
from experiments.jobs.records import seeds_with_record
from gan_jax.runs.dataset import without_source_folder
from gan_jax.runs.workdir import Workdir
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.system.files import read_table, write_text


class Campaign(NamedTuple):
    """The arguments of a command, resolved.

    baseline_seeds: seeds of every study's baseline.
    recorded: (hash, seed) -> the record of a seed in a file of results.
    until_decided: whether each arm has its own number of seeds: those that it has a record of.
    """

    arms: list[Arm]
    preset: str
    steps: int
    seeds: int
    workdir: pathlib.Path
    output: pathlib.Path
    baseline_seeds: int
    recorded: dict[tuple[str, int], dict] = {}
    until_decided: bool = False

    def record(self, name: str, seed: int) -> dict | None:
        """The record of a seed: of the workdir, or of a file of results; None if there is none yet."""
        return one_run.read(self.workdir / name, seed) or self.recorded.get((name, seed))

    def seeds_of(self, name: str) -> Sequence[int]:
        """The seeds of a run. All arms of a study are compared with its baseline, so it may have more than they."""
        if self.until_decided:
            in_results = {seed for run_hash, seed in self.recorded if run_hash == name}
            return sorted(in_results | set(seeds_with_record(self.workdir / name)))
        is_baseline = any(arm.hash == name and arm.is_baseline for arm in self.arms)
        return range(self.baseline_seeds if is_baseline else self.seeds)


def output_folder(given: str, default: str, workdir: pathlib.Path, preset: str, arms: Iterable[Arm]) -> pathlib.Path:
    """The folder of the results: `given`, or if that is "" `default`, or for a study of the user's one in the workdir.

    Quick results never replace the full preset's.
    """
    if not given and any(plan.is_own(arm.study) for arm in arms):
        return workdir / "results"
    folder = pathlib.Path(given or default)
    paths = [folder / name for name in {arm.file_name for arm in arms}]
    remedy = "remove it, or choose another --output"
    full = [path for path in sorted(paths) if path.is_file() and read_table(path, remedy).get("preset") == "full"]
    if preset != "quick" or not full:
        return folder
    if given:
        raise UserError(f"{full[0]} holds results of the full preset; choose another --output for quick ones")
    return workdir / "results"


def missing(campaign: Campaign) -> dict[str, list[int]]:
    """hash -> the seeds without a final record, of every run that has such seeds."""
    missing_seeds = {}
    for name in plan.distinct(campaign.arms):
        records = {seed: campaign.record(name, seed) for seed in campaign.seeds_of(name)}
        seeds = [seed for seed, record in records.items() if not record or record["status"] not in one_run.ENDED]
        if seeds:
            missing_seeds[name] = seeds
    return missing_seeds


def write(campaign: Campaign, names: Iterable[str]) -> None:
    """Writes the files of every study that has an arm among these runs, and the runs' grids."""
    names = set(names)
    (campaign.output / "grids").mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        if grid := Workdir(str(campaign.workdir / name / "seed-0")).last_grid():
            shutil.copy(grid, campaign.output / "grids" / f"{name}-seed0.png")
    for study, base in sorted({(arm.study, arm.base) for arm in campaign.arms if arm.hash in names}):
        text = json.dumps(_table(campaign, study, base), allow_nan=False) + "\n"
        write_text(campaign.output / f"{plan.title(study)}@{base}.json", text)


def _table(campaign: Campaign, study: str, base: str) -> dict:
    """The content of a study's file on one base."""
    source, arms, records = plan.module(study), {}, []
    for arm in campaign.arms:
        if (arm.study, arm.base) != (study, base):
            continue
        by_seed = {seed: campaign.record(arm.hash, seed) for seed in campaign.seeds_of(arm.hash)}
        by_seed = {str(seed): record for seed, record in by_seed.items() if record}
        records += by_seed.values()
        if by_seed:
            arms[arm.name] = {
                "spelled": arm.config_spec,
                "hash": arm.hash,
                "overrides": arm.overrides,
                "steps": arm.config.num_steps,
                "seeds": {seed: _without(record, "protocol", "provenance") for seed, record in by_seed.items()},
            }
    return {
        "study": plan.title(study),
        "base": base,
        "baseline": source.BASELINE[base],
        "tuned": base != "tutorial",
        "preset": campaign.preset,
        "steps": campaign.steps,
        "seeds": campaign.seeds,
        "baseline_seeds": campaign.baseline_seeds,
        "question": source.__doc__.strip().splitlines()[0],
        "protocol": _protocol(campaign, records),
        "provenance": _provenance(records),
        "arms": arms,
    }


def _without(record: dict, *names: str) -> dict:
    return {name: value for name, value in record.items() if name not in names}


def _protocol(campaign: Campaign, records: list[dict]) -> dict:
    """The protocol of all records, merged, so that it also has the scores that only conditional arms have.

    DataUnavailable if the scores are in the features of several classifiers, or of several versions.
    """
    # Records from before December 2026 have no version.
    if len({record["protocol"].get("scores_version", 1) for record in records if record["protocol"]}) > 1:
        raise DataUnavailable(
            "some runs of one study were scored by an earlier version of the scores, whose numbers mean something else "
            "(gan_jax/runs/protocol.py); choose another --workdir"
        )
    if len(features := {record["protocol"]["features"] for record in records if record["protocol"]}) > 1:
        raise DataUnavailable(
            f"runs of one study were scored by {' and '.join(sorted(features))}; these cannot be compared; choose "
            "another --workdir"
        )
    section = campaign.arms[0].config.eval
    merged = {"num_images": section.at_end_num_images, "validation_images": section.num_images}
    for record in records:
        merged = record["protocol"] | merged
    return merged


def _provenance(records: list[dict]) -> dict:
    """The provenance of the first record, with the commits of all; DataUnavailable if runs have different data."""
    known = [record["provenance"] for record in records if "data" in record["provenance"]]
    if not known:
        return {}
    if len({info["data"]["fingerprint"] for info in known}) > 1:
        used = " and ".join(sorted({f"{info['data']['used']} ({info['data']['source']})" for info in known}))
        raise DataUnavailable(f"runs of one study were trained on {used}; choose another --workdir for the new data")
    commits = sorted({info["commit"] for info in known})
    return known[0] | {"data": without_source_folder(known[0]["data"]), "commits": commits}
