"""Is `compare` right, and what does it save? python -m experiments.compare.proof

Simulated comparisons with the noise of the committed ablation studies (experiments/statistics_check.py). All arms of a
comparison differ from the base by the same factor in Frechet distance, or fail in most runs. Each is decided twice: one
look after another as `compare` does, and once with 10 seeds an arm. Writes compare_proof.json and .md to --output.
"""

import argparse
import math
import pathlib
import sys

import numpy as np

if not __package__:  # Started as a file: python experiments/compare/proof.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.compare import sequential
from experiments.compare.sequential import BASE, FIRST_SEEDS, UNDECIDED, ArmLook, Data, Rule
from experiments.jobs.arguments import check_at_least
from experiments.report import RESULTS
from experiments.reporting import markdown
from experiments.reporting.record import write
from experiments.statistics_check import METRIC, Noise, noise_of
from gan_jax import cli
from gan_jax.runs.provenance import provenance

MARGIN, MAX_SEEDS, FIXED_SEEDS, FAILING = 1.1, 42, 10, 0.7
EFFECTS, NUM_ARMS = (0.0, 0.05, 0.1, 0.2, 0.5), (1, 3, 8)
RULE = Rule(METRIC, True, math.log(MARGIN))


class Runs:
    """An endless supply of simulated runs of each arm. failure: probability that a run of an arm is lost."""

    def __init__(self, noise: Noise, effect: float, num_arms: int, failure: float, rng: np.random.Generator):
        self._noise, self._effect, self._failure, self._rng = noise, math.log1p(effect), failure, rng
        unstable = lambda: rng.random() < noise.share_unstable  # noqa: E731
        self.names = [f"arm {i}" for i in range(num_arms)]
        self._sd = {name: float(rng.choice(noise.unstable)) if unstable() else None for name in self.names}
        self._scores: dict[str, list[float]] = {name: [] for name in (BASE, *self.names)}
        self._lost = dict.fromkeys(self._scores, 0)
        self._ended = dict.fromkeys(self._scores, 0)

    def _run(self, name: str) -> None:
        self._ended[name] += 1
        if name != BASE and self._rng.random() < self._failure:
            self._lost[name] += 1
            return
        sd = self._sd.get(name)
        error = self._rng.choice(self._noise.errors) if sd is None else self._rng.normal(0, sd)
        self._scores[name].append(error + (0.0 if name == BASE else self._effect))

    def data(self, seeds: dict[str, int]) -> dict[str, Data]:
        """The runs of each arm, after so many seeds as named have ended."""
        for name, number in seeds.items():
            while self._ended[name] < number:
                self._run(name)
        return {name: Data(np.array(s), self._lost[name], self._ended[name]) for name, s in self._scores.items()}

    @property
    def total(self) -> int:
        return sum(self._ended.values())


def one_after_another(runs: Runs) -> dict[str, ArmLook]:
    """The arms' last look, as `compare` takes them."""
    last, number, seeds, undecided = {}, 0, FIRST_SEEDS, runs.names
    while undecided and seeds <= MAX_SEEDS:
        number += 1
        last = sequential.look(number, RULE, runs.data(sequential.wanted_seeds(seeds, undecided)), last)
        undecided = [name for name in runs.names if last[name].verdict == UNDECIDED]
        seeds = sequential.more_seeds(seeds)
    return last


def at_once(runs: Runs) -> dict[str, ArmLook]:
    """One look with FIXED_SEEDS seeds an arm, which spends the whole error rate."""
    wanted = sequential.wanted_seeds(FIXED_SEEDS, runs.names)
    rule = RULE._replace(error_rate=2 * RULE.error_rate)  # The first look spends half of it.
    return sequential.look(1, rule, runs.data(wanted), {})


def is_wrong(look: ArmLook, effect: float, failure: float) -> bool:
    """Whether a verdict contradicts the truth."""
    if look.verdict == UNDECIDED:
        return False
    if look.verdict == sequential.FAILS:
        return failure == 0
    if look.verdict == sequential.EQUAL:
        return effect >= MARGIN - 1
    worse = look.verdict.startswith(sequential.WORSE)
    return effect == 0 or not worse or (look.verdict.endswith(sequential.SMALL) and effect >= MARGIN - 1)


def simulate(noise: Noise, effect: float, num_arms: int, failure: float, number: int) -> dict:
    """Shares and means over `number` comparisons."""
    row = {"arms": num_arms, "effect": effect, "failure": failure}
    for name, decide in (("sequential", one_after_another), ("fixed", at_once)):
        rng, looks, totals = np.random.default_rng(0), [], []
        for _ in range(number):
            runs = Runs(noise, effect, num_arms, failure, rng)
            looks.append(list(decide(runs).values()))
            totals.append(runs.total)
        arms = [arm for comparison in looks for arm in comparison]
        row[name] = {
            "decided": float(np.mean([arm.verdict != UNDECIDED for arm in arms])),
            "any_wrong": float(np.mean([any(is_wrong(arm, effect, failure) for arm in one) for one in looks])),
            "trainings": float(np.mean(totals)),
        }
    return row


def page(record: dict) -> str:
    """The content of compare_proof.md."""
    number = record["num_comparisons"]
    share = lambda p: f"{p:.1%} ± {math.sqrt(p * (1 - p) / number):.1%}"  # noqa: E731
    head = ["arms", "true difference", "wrong (any arm)", "arms decided", "trainings"]
    head += [f"{FIXED_SEEDS} seeds: wrong", f"{FIXED_SEEDS} seeds: decided", f"{FIXED_SEEDS} seeds: trainings"]
    rows = []
    for row in record["rows"]:
        truth = f"{row['failure']:.0%} of the runs fail" if row["failure"] else f"{row['effect']:+.0%}"
        cells = [row["arms"], truth]
        for name in ("sequential", "fixed"):
            result = row[name]
            cells += [share(result["any_wrong"]), f"{result['decided']:.0%}", f"{result['trainings']:.1f}"]
        rows.append(cells)
    origin = record["provenance"]
    return f"""# What `compare` decides, and what it costs

Written beside `compare_proof.json` by

    python -m experiments.compare.proof --comparisons {number}

Each row has {number} simulated comparisons. All arms differ from the base by the same share in Frechet distance, or
lose that share of their runs. The noise is that of the committed ablation studies, with
{record["share_unstable"]:.0%} of the arms unstable. Wrong: the share of comparisons in which any arm has a wrong
verdict (a difference where there is none, or in the wrong direction; "no difference larger than the margin" at a
difference of {MARGIN - 1:.0%} or more); at most {RULE.error_rate:.0%} is allowed. ± is the Monte Carlo standard error.
`compare` stops at {MAX_SEEDS} seeds an arm. Trainings are those of all arms and the base.

{markdown.table(head, rows)}

Commit {markdown.commit(origin["commit"])}, numpy {origin["versions"]["numpy"]}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.compare.proof", description=__doc__)
    parser.add_argument("--input", default=RESULTS, help="folder of <study>@<base>.json, for the noise")
    parser.add_argument("--output", default="experiments/results", help="folder of compare_proof.json and .md")
    parser.add_argument("--comparisons", type=int, default=1000, help="simulated comparisons of each row (1000)")
    arguments = parser.parse_args()
    check_at_least(2, comparisons=arguments.comparisons)
    noise, rows = noise_of(pathlib.Path(arguments.input)), []
    cases = [(effect, num_arms, 0.0) for num_arms in NUM_ARMS for effect in EFFECTS]
    for effect, num_arms, failure in [*cases, *((0.0, num_arms, FAILING) for num_arms in NUM_ARMS)]:
        rows.append(simulate(noise, effect, num_arms, failure, arguments.comparisons))
        print(f"{len(rows)} of {len(cases) + len(NUM_ARMS)}: {rows[-1]}", flush=True)
    record = {
        "num_comparisons": arguments.comparisons,
        "share_unstable": noise.share_unstable,
        "rows": rows,
        "provenance": provenance(),
    }
    print(f"wrote {write(pathlib.Path(arguments.output), 'compare_proof', record, page(record))}")


if __name__ == "__main__":
    cli.execute(main)
