"""The folder of a comparison: its rule, one folder of runs for each arm, and the looks.

rule.json is written before the first run, and a command with another rule is refused. looks.json has every look, since
each spends a part of the error rate. <hash>/seed-<s>.json is the record of a run, as the ablation studies have it. The
runs of a study are in the workdir of the studies, which share them.
"""

import json
import math
import pathlib

import numpy as np

from experiments.ablations import one_run
from experiments.ablations.plan import HASH_DIGITS
from experiments.compare.arms import Arm
from experiments.compare.sequential import ArmLook, Data, Rule
from experiments.jobs.folders import Folders
from experiments.jobs.records import seeds_with_record
from experiments.reporting import measures
from experiments.reporting.measures import METRICS
from experiments.reporting.results import Study, parse
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table, write_text

_RULE, _LOOKS = "rule.json", "looks.json"


class Workdir:
    """path: the folder; arms: the base first; runs: the folder of the runs, by default the same."""

    def __init__(self, path: pathlib.Path, rule: Rule, arms: list[Arm], runs: pathlib.Path | None = None):
        self.path, self.rule, self.runs = path, rule, runs or path
        folders = Folders(self.runs, HASH_DIGITS)
        self.arms = [arm._replace(hash=folders.name(arm.config)) for arm in arms]

    def start(self, prior: dict) -> None:
        """Writes the rule; UserError if the folder holds a comparison with another one.

        prior: what is used of earlier records.
        """
        given = {**self.rule._asdict(), "prior": prior, "arms": {arm.name: arm.hash for arm in self.arms}}
        path = self.path / _RULE
        if path.is_file():
            recorded = read_table(path, "choose another --workdir")
            for key, value in given.items():
                if (before := recorded.get(key)) != value:
                    raise UserError(
                        f"{path} was written for {key}={_short(before)}, not {_short(value)}; a rule cannot "
                        "change after the first run: choose another --workdir"
                    )
            return
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(given, indent=2) + "\n")

    def seeds_with_record(self, arm: Arm) -> list[int]:
        """The seeds of an arm that have ended."""
        return seeds_with_record(self.runs / arm.hash)

    def study(self) -> Study:
        """All runs so far, as a study with these arms."""
        records = {
            arm.name: {seed: one_run.read(self.runs / arm.hash, seed) for seed in self.seeds_with_record(arm)}
            for arm in self.arms
        }
        arms = {arm.name: (arm.hash, arm.config.num_steps, records[arm.name]) for arm in self.arms}
        return study_of_records(self.arms[0].typed, arms)

    def looks(self) -> list[dict[str, ArmLook]]:
        """The looks that were taken, the first one first."""
        path = self.path / _LOOKS
        if not path.is_file():
            return []
        entries = read_table(path, "delete it only if the whole folder goes")["looks"]
        return [{name: _arm_look(row) for name, row in entry.items()} for entry in entries]

    def write_looks(self, looks: list[dict[str, ArmLook]]) -> None:
        """Records the looks, of which only the last one is new."""
        rows = [{name: _row(arm) for name, arm in look.items()} for look in looks]
        write_text(self.path / _LOOKS, json.dumps({"looks": rows}, indent=1) + "\n")


def study_of_records(base: str, arms: dict[str, tuple[str, int, dict[int, dict]]]) -> Study:
    """Records of runs as a study. base: its words; arms: name -> (hash, steps, seed -> record), the baseline first."""
    protocol, provenance = {}, {}
    for record in [record for _, _, by_seed in arms.values() for record in by_seed.values()]:
        protocol, provenance = record["protocol"] | protocol, record["provenance"] | provenance
    return parse(
        {
            "study": "comparison",
            "base": base,
            "baseline": next(iter(arms)),
            "preset": "full",
            "protocol": protocol,
            "provenance": provenance,
            "seeds": 0,
            "arms": {
                name: {
                    "hash": run_hash,
                    "steps": steps,
                    "overrides": {},
                    "seeds": {str(seed): record for seed, record in by_seed.items()},
                }
                for name, (run_hash, steps, by_seed) in arms.items()
            },
        }
    )


def _short(value) -> str:
    """A value of a rule in a message: of a table, its names."""
    return f"({', '.join(value)})" if isinstance(value, dict) else str(value)


INTERVALS = ("interval", "margin_interval")


def finite(interval: tuple[float, float]) -> list[float | None]:
    """An interval for JSON, which has no infinite numbers: null is infinite."""
    return [bound if math.isfinite(bound) else None for bound in interval]


def _row(arm: ArmLook) -> dict:
    return {**arm._asdict(), **{name: finite(getattr(arm, name)) for name in INTERVALS}}


def _arm_look(row: dict) -> ArmLook:
    with_bounds = dict(row)
    for name in INTERVALS:
        low, high = row[name]
        with_bounds[name] = -math.inf if low is None else low, math.inf if high is None else high
    return ArmLook(**{**with_bounds, "seeds": tuple(row["seeds"]), "failures": tuple(row["failures"])})


def data_of(study: Study, score: str) -> dict[str, Data]:
    """Arm -> its scores on the scale of the analysis, and its lost runs."""
    metric, context, data = METRICS[score], measures.context(study), {}
    for name, arm in study.arms.items():
        scores = np.array(list(measures.of_runs(arm.runs, metric, context).values()))
        lost = list(measures.of_runs(arm.runs, METRICS["lost_runs"], context).values())
        data[name] = Data(np.log(scores) if metric.scale == "log" else scores, int(sum(lost)), len(lost))
    return data
