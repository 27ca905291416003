"""Reads the result files of the ablation runner: experiments/results/ablations/<study>@<base>.json.

A file may be incomplete: arms and seeds can be missing. This module drops the scores of failed seeds and all numbers
that are not finite, so that no other module has to check for them.
"""

import dataclasses
import math
import pathlib
import re

import numpy as np

from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table

FAILED = ("collapsed", "diverged", "crashed")
BASES = ("tutorial", "tuned", "cdcgan")  # in the report's order; other bases follow by name


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """One seed of one arm. Curves are float64 arrays, with NaN for a missing number."""

    status: str
    reason: str
    step: int
    seconds: float | None
    steps_per_second: float | None
    final: dict[str, float]
    best: dict[str, float]
    curves: dict[str, np.ndarray]

    @property
    def completed(self) -> bool:
        return self.status == "completed"

    @property
    def failed(self) -> bool:
        return self.status in FAILED


@dataclasses.dataclass(frozen=True, eq=False)
class Arm:
    name: str
    spelled: str
    hash: str
    steps: int  # planned
    overrides: dict
    runs: dict[int, Run]  # by seed


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """One study on one base. `seeds`, `baseline_seeds` and `steps` are the planned numbers."""

    name: str
    base: str
    baseline: str
    preset: str
    steps: int
    seeds: int
    baseline_seeds: int
    question: str
    protocol: dict
    provenance: dict
    arms: dict[str, Arm]

    @property
    def title(self) -> str:
        return f"{self.name}@{self.base}"

    def planned(self, arm: Arm) -> int:
        """Seeds that an arm has at the end."""
        return max(self.baseline_seeds if arm.name == self.baseline else self.seeds, len(arm.runs))

    @property
    def anchor(self) -> str:
        """The section's id in the report."""
        return anchor(self.name, self.base)


def anchor(study: str, base: str) -> str:
    """The id of a study's section: only letters, digits, '-' and '_', for any name."""
    return "study-" + re.sub(r"[^A-Za-z0-9_]+", "-", f"{study}-on-{base}")


def _numbers(table) -> dict[str, float]:
    """The entries that are finite numbers."""
    return {
        str(name): float(value)
        for name, value in (table or {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _curve(values: list) -> np.ndarray:
    array = np.array([np.nan if value is None else value for value in values], np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def _curves(table: dict) -> dict[str, np.ndarray]:
    """Every curve; ValueError if a curve does not have one step per value."""
    curves = {str(name): _curve(values) for name, values in table.items()}
    for name, curve in curves.items():
        steps = curves.get("validation_step" if name.startswith("validation_") else "step")
        if steps is None or steps.shape != curve.shape:
            raise ValueError(f"the curve of {name} has not a step for each value")
    return curves


def _protocol(protocol: dict) -> dict:
    """The protocol with today's names: files from before December 2026 have <score>_floor for <score>_real."""
    return {re.sub(r"_floor$", "_real", name): value for name, value in protocol.items() if name != "num_floor"} | (
        {"num_train_scored": protocol["num_floor"]} if "num_floor" in protocol else {}
    )


def _run(record: dict) -> Run:
    status = str(record["status"])
    numbers = _numbers({name: record.get(name) for name in ("seconds", "steps_per_second")})
    return Run(
        status=status,
        reason=str(record.get("reason") or ""),
        step=int(record.get("step") or 0),
        seconds=numbers.get("seconds"),
        steps_per_second=numbers.get("steps_per_second"),
        final=_numbers(record.get("final")) if status == "completed" else {},
        best=_numbers(record.get("best")) if status == "completed" else {},
        curves=_curves(record.get("curves") or {}),
    )


def _arm(name: str, record: dict, steps: int) -> Arm:
    runs = {int(seed): _run(run) for seed, run in sorted((record.get("seeds") or {}).items(), key=lambda i: int(i[0]))}
    text = {key: str(record.get(key) or "") for key in ("spelled", "hash")}
    overrides = dict(record.get("overrides") or {})
    return Arm(name=name, steps=int(record.get("steps") or steps), overrides=overrides, runs=runs, **text)


def parse(record: dict) -> Study:
    """A result file's content; KeyError, TypeError or ValueError if it is not the content of a result file."""
    steps = int(record.get("steps") or 0)
    arms = {name: _arm(name, arm, steps) for name, arm in record["arms"].items()}
    planned = record.get("seeds") or 0
    seeds = planned if isinstance(planned, int) else len(planned)
    return Study(
        name=str(record["study"]),
        base=str(record["base"]),
        baseline=str(record["baseline"]),
        preset=str(record.get("preset") or "unknown"),
        steps=steps,
        seeds=seeds,
        baseline_seeds=int(record.get("baseline_seeds") or seeds),
        question=str(record.get("question") or ""),
        protocol=_protocol(record.get("protocol") or {}),
        provenance=record.get("provenance") or {},
        arms=arms,
    )


def _report_order(study: Study) -> tuple:
    base_index = BASES.index(study.base) if study.base in BASES else len(BASES)
    return base_index, study.base, study.name


def read(folder: pathlib.Path) -> list[Study]:
    """Every study in a folder, base by base; UserError if a file is no result of a study."""
    if not folder.is_dir():
        raise UserError(f"--input={folder} is no folder; python -m experiments.ablations writes one")
    studies = []
    for path in sorted(folder.glob("*@*.json")):
        try:
            studies.append(parse(read_table(path, "remove it or run it again")))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(f"{path} is no result of an ablation study: {error!r}; remove it or run it again") from None
    return sorted(studies, key=_report_order)
