"""Is `compare` right, and what does it save? python -m experiments.compare.proof

Simulated comparisons with the noise of the committed ablation studies (experiments/statistics_check.py). All arms of a
comparison differ from the base by the same factor in Frechet distance, or fail in most runs. Each is decided in three
ways: one look after another as `compare` does, without and with earlier records, and once with a fixed number of seeds.
Writes compare_proof.json and .md to --output, after every row; a row that is there already is not simulated again.
"""

import argparse
import math
import pathlib
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

if not __package__:  # Started as a file: python experiments/compare/proof.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.compare import sequential
from experiments.compare.prior import NONE, Prior
from experiments.compare.sequential import BASE, FIRST_SEEDS, UNDECIDED, ArmLook, Data, Rule
from experiments.jobs.arguments import check_at_least
from experiments.report import RESULTS
from experiments.reporting import markdown
from experiments.reporting.programs import Block
from experiments.reporting.record import write
from experiments.statistics_check import METRIC, Noise, noise_of
from gan_jax import cli
from gan_jax.runs.provenance import provenance
from gan_jax.system.files import read_table

NAME = "compare_proof"
MARGIN, MAX_SEEDS, FIXED_SEEDS, FAILING = 1.1, 42, 10, 0.7
EFFECTS, NUM_ARMS = (0.0, 0.05, 0.1, 0.2, 0.5), (1, 3, 8)
NOISE_FACTORS = (0.5, 1.5, 2.0, 3.0)  # the noise of a comparison over that of the earlier records
FEWER = 4  # Errors are seldom, so rows about them have so many times the comparisons of the others.
PRIOR_PROGRAMS, PRIOR_SEEDS = 10, 5  # of the earlier records: as many runs as a comparison of a few arms leaves
RULE = Rule(METRIC, True, math.log(MARGIN))


class Case(NamedTuple):
    """What is true in a comparison. failure: probability that a run of an arm is lost; noise: factor of all errors."""

    arms: int
    effect: float = 0.0
    failure: float = 0.0
    noise: float = 1.0


CASES = [Case(arms, effect) for arms in NUM_ARMS for effect in EFFECTS]
CASES += [Case(arms, failure=FAILING) for arms in NUM_ARMS] + [Case(3, noise=factor) for factor in NOISE_FACTORS]


class Runs:
    """An endless supply of simulated runs of each arm."""

    def __init__(self, noise: Noise, case: Case, rng: np.random.Generator):
        self._noise, self._case, self._rng = noise, case, rng
        unstable = lambda: rng.random() < noise.share_unstable  # noqa: E731
        self.names = [f"arm {i}" for i in range(case.arms)]
        self._sd = {name: float(rng.choice(noise.unstable)) if unstable() else None for name in self.names}
        self._scores: dict[str, list[float]] = {name: [] for name in (BASE, *self.names)}
        self._lost = dict.fromkeys(self._scores, 0)
        self._ended = dict.fromkeys(self._scores, 0)

    def _run(self, name: str) -> None:
        self._ended[name] += 1
        if name != BASE and self._rng.random() < self._case.failure:
            self._lost[name] += 1
            return
        sd = self._sd.get(name)
        error = self._rng.choice(self._noise.errors) if sd is None else self._rng.normal(0, sd)
        self._scores[name].append(self._case.noise * error + (0.0 if name == BASE else math.log1p(self._case.effect)))

    def data(self, seeds: dict[str, int]) -> dict[str, Data]:
        """The runs of each arm, after so many seeds as named have ended."""
        for name, number in seeds.items():
            while self._ended[name] < number:
                self._run(name)
        return {name: Data(np.array(s), self._lost[name], self._ended[name]) for name, s in self._scores.items()}

    @property
    def total(self) -> int:
        return sum(self._ended.values())


def earlier_records(noise: Noise, rng: np.random.Generator) -> Prior:
    """The records of one earlier set of runs."""
    block, cells = Block("earlier", *[""] * 6), {}
    for program in range(PRIOR_PROGRAMS):
        unstable = rng.random() < noise.share_unstable
        errors = rng.normal(0, rng.choice(noise.unstable), PRIOR_SEEDS)
        cells[block, program] = errors if unstable else rng.choice(noise.errors, PRIOR_SEEDS)
    return Prior(cells, [])


def one_after_another(runs: Runs, prior: Prior = NONE) -> dict[str, ArmLook]:
    """The arms' last look, as `compare` takes them."""
    last, number, seeds, undecided = {}, 0, FIRST_SEEDS, runs.names
    while undecided and seeds <= MAX_SEEDS:
        number += 1
        data = runs.data(sequential.wanted_seeds(seeds, undecided))
        last = sequential.look(number, RULE, data, last, prior.fitting(data))
        undecided = [name for name in runs.names if last[name].verdict == UNDECIDED]
        seeds = sequential.more_seeds(seeds)
    return last


def at_once(runs: Runs, seeds: int) -> dict[str, ArmLook]:
    """One look with so many seeds an arm, which spends the whole error rate."""
    return sequential.look(1, RULE._replace(one_look=True), runs.data(sequential.wanted_seeds(seeds, runs.names)), {})


def is_wrong(look: ArmLook, case: Case) -> bool:
    """Whether a verdict contradicts the truth."""
    if look.verdict == UNDECIDED:
        return False
    if look.verdict == sequential.FAILS:
        return case.failure == 0
    beyond = case.effect >= MARGIN - 1
    if look.verdict == sequential.EQUAL:
        return beyond
    worse = look.verdict.startswith(sequential.WORSE)
    return case.effect == 0 or not worse or (look.verdict.endswith(sequential.SMALL) and beyond)


def _shares(case: Case, noise: Noise, number: int, decide: Callable[[Runs, np.random.Generator], dict]) -> dict:
    """Shares and means over `number` comparisons."""
    rng, looks, totals = np.random.default_rng(0), [], []
    for _ in range(number):
        runs = Runs(noise, case, rng)
        looks.append(list(decide(runs, rng).values()))
        totals.append(runs.total)
    return {
        "decided": float(np.mean([arm.verdict != UNDECIDED for one in looks for arm in one])),
        "any_wrong": float(np.mean([any(is_wrong(arm, case) for arm in one) for one in looks])),
        "trainings": float(np.mean(totals)),
    }


def simulate(noise: Noise, case: Case, number: int) -> dict:
    """One row: the case, and the results of each way to decide. number: comparisons without a true difference."""
    number = number if case.effect == case.failure == 0 else max(number // FEWER, 2)
    fixed = lambda seeds: _shares(case, noise, number, lambda runs, _: at_once(runs, seeds))  # noqa: E731
    row = case._asdict() | {
        "num_comparisons": number,
        "sequential": _shares(case, noise, number, lambda runs, _: one_after_another(runs)),
        "prior": _shares(case, noise, number, lambda runs, rng: one_after_another(runs, earlier_records(noise, rng))),
        "fixed": fixed(FIXED_SEEDS),
    }
    # The fixed number of seeds that decides as often.
    seeds, equal = FIXED_SEEDS, row["fixed"]
    while equal["decided"] < row["prior"]["decided"] - 0.005 and seeds < 2 * MAX_SEEDS:
        seeds = sequential.more_seeds(seeds)
        equal = fixed(seeds)
    return row | {"equal_power": {**equal, "seeds": seeds}}


def _noisy_section(head: list[str], rows: list[list[str]]) -> str:
    """The table of comparisons whose noise is not that of the earlier records; "" without such rows."""
    if not rows:
        return ""
    return f"""
## If the earlier records do not fit

Three arms without a difference, but all errors are those of the earlier records times a factor.

{markdown.table(["factor", *head], rows)}
"""


def page(record: dict) -> str:
    """The content of compare_proof.md."""
    number = record["num_comparisons"]
    share = lambda p, n: f"{p:.1%} ± {math.sqrt(p * (1 - p) / n):.1%}"  # noqa: E731
    head = ["arms", "true difference"]
    head += [f"{way}: {what}" for way in ("alone", "with records") for what in ("wrong", "decided", "trainings")]
    head += [f"{FIXED_SEEDS} seeds: wrong", "decided", "trainings", "fixed seeds that decide as often: trainings"]
    rows, noisy = [], []
    for row in record["rows"]:
        truth = f"{row['failure']:.0%} of the runs fail" if row["failure"] else f"{row['effect']:+.0%}"
        cells = [row["arms"], truth]
        for name in ("sequential", "prior", "fixed"):
            result = row[name]
            cells += [
                share(result["any_wrong"], row["num_comparisons"]),
                f"{result['decided']:.0%}",
                f"{result['trainings']:.1f}",
            ]
        equal = row["equal_power"]
        if row["noise"] == 1:
            reached = equal["decided"] >= row["prior"]["decided"] - 0.005
            rows.append([*cells, f"{equal['trainings']:.0f}" if reached else f"over {equal['trainings']:.0f}"])
        else:
            noisy.append([f"{row['noise']:g}", *cells[2:8]])
    origin, left = record["provenance"], len(CASES) - len(record["rows"])
    unfinished = f" {left} of {len(CASES)} rows are not simulated yet." if left else ""
    return f"""# What `compare` decides, and what it costs

Written beside `compare_proof.json` by

    python -m experiments.compare.proof --comparisons {number}

Rows without a true difference have {number} simulated comparisons, the others a quarter of that. All arms differ from
the base by the same share in Frechet distance, or lose that share of their runs. The noise is that of the committed
ablation studies, with
{record["share_unstable"]:.0%} of the arms unstable. Wrong: the share of comparisons in which any arm has a wrong
verdict (a difference where there is none, or in the wrong direction; "no difference larger than the margin" at a
difference of {MARGIN - 1:.0%} or more); at most {RULE.error_rate:.0%} is allowed. ± is the Monte Carlo standard error.
`compare` stops at {MAX_SEEDS} seeds an arm. Trainings are those of all arms and the base. "With records": with
`--prior`, here {PRIOR_PROGRAMS} earlier programs of {PRIOR_SEEDS} seeds with the same noise.{unfinished}

{markdown.table(head, rows)}
{_noisy_section(head[2:8], noisy)}
Commit {markdown.commit(origin["commit"])}, numpy {origin["versions"]["numpy"]}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.compare.proof", description=__doc__)
    parser.add_argument("--input", default=RESULTS, help="folder of <study>@<base>.json, for the noise")
    parser.add_argument("--output", default="experiments/results", help="folder of compare_proof.json and .md")
    parser.add_argument("--comparisons", type=int, default=1000, help="simulated comparisons of each row (1000)")
    arguments = parser.parse_args()
    check_at_least(2, comparisons=arguments.comparisons)
    noise, output = noise_of(pathlib.Path(arguments.input)), pathlib.Path(arguments.output)
    record = _unfinished(output / f"{NAME}.json", arguments.comparisons) or {
        "num_comparisons": arguments.comparisons,
        "share_unstable": noise.share_unstable,
        "rows": [],
        "provenance": provenance(),
    }
    for index in range(len(record["rows"]), len(CASES)):
        print(f"{index + 1} of {len(CASES)}: {CASES[index]}", flush=True)
        record["rows"].append(simulate(noise, CASES[index], arguments.comparisons))
        write(output, NAME, record, page(record))
    print(f"record {output / NAME}.json")


def _unfinished(path: pathlib.Path, number: int) -> dict | None:
    """The record of an interrupted command with the same code and number of comparisons."""
    record = read_table(path, "delete it") if path.is_file() else {}
    same = record.get("num_comparisons") == number and record.get("provenance") == provenance()
    return record if same and len(record["rows"]) < len(CASES) else None


if __name__ == "__main__":
    cli.execute(main)
