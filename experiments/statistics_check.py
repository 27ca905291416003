"""How often are the verdicts of the ablation studies wrong? python -m experiments.statistics_check

Makes studies of which the truth is known, from the noise of the committed results: in each simulated campaign, 50
programs have 3 seeds each, whose errors are drawn from the real runs. As many programs as in the results have another
variance. One study compares arms with a baseline. Counted are wrong differences (no arm differs), found ones (all
differ by a factor), and simultaneous intervals that miss the truth. Writes statistics_check.json and .md to --output.
"""

import argparse
import math
import pathlib
import sys
from typing import NamedTuple

import numpy as np
from scipy import stats

if not __package__:  # Started as a file: python experiments/statistics_check.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from experiments.jobs.arguments import check_at_least
from experiments.report import RESULTS
from experiments.reporting import markdown, measures
from experiments.reporting.contrasts import Model
from experiments.reporting.families import Models
from experiments.reporting.findings import Contrast, Finding
from experiments.reporting.programs import Block, find_programs
from experiments.reporting.record import write
from experiments.reporting.results import read
from experiments.reporting.simultaneous import ALPHA, adjust
from experiments.reporting.statistics import holm
from gan_jax import cli
from gan_jax.runs.provenance import provenance

METRIC, PROGRAMS, SEEDS, ARMS = "frechet_distance", 50, 3, 8
FACTORS = (1.0, 1.1, 1.2, 1.3, 1.5)
_BLOCK = Block("simulated", *[""] * 6)


class Noise(NamedTuple):
    """The noise of real runs. errors: of the stable programs, on the log scale; unstable: the other programs' sd."""

    errors: np.ndarray
    unstable: np.ndarray
    num_programs: int

    @property
    def share_unstable(self) -> float:
        return len(self.unstable) / self.num_programs


def noise_of(folder: pathlib.Path, base: str = "tuned") -> Noise:
    """The errors of the runs on one base, about their programs' means, times sqrt(n / (n - 1))."""
    studies = [study for study in read(folder) if study.base == base]
    model, _ = Models(find_programs(studies)).of(METRIC, measures.context(studies[0]), base)
    unstable = {cell for pool in model.pools.values() for cell, u in pool.unstable.items() if u > 0.5}
    stable = [values for cell, values in model.cells.items() if cell not in unstable and len(values) > 1]
    errors = [(values - values.mean()) * math.sqrt(len(values) / (len(values) - 1)) for values in stable]
    own_sd = [float(np.std(model.cells[cell], ddof=1)) for cell in sorted(unstable)]
    return Noise(np.concatenate(errors), np.array(own_sd), len(model.cells))


def campaign(noise: Noise, factor: float, baseline_seeds: int, rng: np.random.Generator) -> dict:
    """One simulated campaign: the findings of ARMS arms that all differ from the baseline by `factor`, program 0."""
    cells, truth = {}, math.log(factor)
    for program in range(PROGRAMS):
        n = baseline_seeds if program == 0 else SEEDS
        errors = rng.choice(noise.errors, n)
        if program and rng.random() < noise.share_unstable:
            errors = rng.normal(0, rng.choice(noise.unstable), n)
        cells[_BLOCK, program] = errors + (truth if 1 <= program <= ARMS else 0.0)
    model = Model.of(cells)
    estimates = [model.contrast({arm: 1.0, 0: -1.0}, [_BLOCK]) for arm in range(1, ARMS + 1)]
    findings = [
        Finding(Contrast(str(arm), "baseline", METRIC), estimate, adjusted.p, adjusted.interval)
        for arm, (estimate, adjusted) in enumerate(
            zip(estimates, adjust([(model, estimate) for estimate in estimates]), strict=True)
        )
    ]
    baseline = cells[_BLOCK, 0][:SEEDS]
    paired = [stats.ttest_rel(np.exp(cells[_BLOCK, arm]), np.exp(baseline)).pvalue for arm in range(1, ARMS + 1)]
    return {
        "decided": sum(finding.decided for finding in findings),
        "wrong": any(finding.decided and (finding.estimate.difference > 0) != (truth > 0) for finding in findings),
        "any": any(finding.decided for finding in findings),
        "missed": any(not finding.interval[0] <= truth <= finding.interval[1] for finding in findings),
        "equal": any(finding.is_equal for finding in findings),
        "paired": sum(p < ALPHA for p in holm(paired)),
    }


def simulate(noise: Noise, factor: float, baseline_seeds: int, number: int) -> dict:
    """Shares over `number` campaigns, each with its Monte Carlo standard error."""
    rng = np.random.default_rng(0)
    rows = [campaign(noise, factor, baseline_seeds, rng) for _ in range(number)]
    share = lambda name: float(np.mean([row[name] for row in rows]))  # noqa: E731
    result = {"factor": factor, "baseline_seeds": baseline_seeds, "num_campaigns": number}
    result |= {"any_decided": share("any"), "interval_missed": share("missed"), "any_equal": share("equal")}
    result |= {"power": share("decided") / ARMS, "power_of_the_paired_t_test": share("paired") / ARMS}
    return result


def page(record: dict) -> str:
    """The content of statistics_check.md."""
    error = lambda share: math.sqrt(share * (1 - share) / record["num_campaigns"])  # noqa: E731
    text = lambda share: f"{share:.1%} ± {error(share):.1%}"  # noqa: E731
    head = ["true factor", "seeds of the baseline", "an interval misses the truth", "a difference is decided (any arm)"]
    head += ['"no difference as large as the margin" (any arm)', "power an arm", "power of the earlier rule"]
    rows = [
        [
            f"{row['factor']:g}",
            row["baseline_seeds"],
            text(row["interval_missed"]),
            text(row["any_decided"]),
            text(row["any_equal"]),
            f"{row['power']:.1%}",
            f"{row['power_of_the_paired_t_test']:.1%}",
        ]
        for row in record["rows"]
    ]
    origin = record["provenance"]
    return f"""# How often the verdicts are wrong

Written beside `statistics_check.json` by

    python -m experiments.statistics_check --campaigns {record["num_campaigns"]}

Each row has {record["num_campaigns"]} simulated campaigns of {PROGRAMS} programs with {SEEDS} seeds, and one study of
{ARMS} arms that all differ from the baseline by the same factor in Frechet distance. The errors are those of the
{record["num_errors"]} runs of the pooled programs on the tuned base (standard deviation {record["sd"]:.3f} of the
logarithm); {record["share_unstable"]:.1%} of the programs have another variance, as in the results. ± is the Monte
Carlo standard error. "Any arm" is the family-wise rate: at a factor of 1, a decided difference is an error; at 1.1, the
margin, "no difference as large as the margin" is one. Both should be at most {ALPHA:.0%}. The earlier rule was a paired
t test over {SEEDS} seeds with Holm's correction.

{markdown.table(head, rows)}

Commit {markdown.commit(origin["commit"])}, numpy {origin["versions"]["numpy"]}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.statistics_check", description=__doc__)
    parser.add_argument("--input", default=RESULTS, help="folder of <study>@<base>.json")
    parser.add_argument("--output", default=RESULTS, help="folder of statistics_check.json and .md")
    parser.add_argument("--campaigns", type=int, default=1000, help="simulated campaigns of each row (1000)")
    arguments = parser.parse_args()
    check_at_least(2, campaigns=arguments.campaigns)
    noise, rows = noise_of(pathlib.Path(arguments.input)), []
    for baseline_seeds in (SEEDS, round(SEEDS * math.sqrt(ARMS))):
        for factor in FACTORS:
            rows.append(simulate(noise, factor, baseline_seeds, arguments.campaigns))
            print(
                f"factor {factor:g}, {baseline_seeds} seeds of the baseline: power {rows[-1]['power']:.1%}", flush=True
            )
    record = {
        "num_campaigns": arguments.campaigns,
        "num_errors": len(noise.errors),
        "sd": float(np.std(noise.errors)),
        "share_unstable": noise.share_unstable,
        "rows": rows,
        "provenance": provenance(),
    }
    print(f"wrote {write(pathlib.Path(arguments.output), 'statistics_check', record, page(record))}")


if __name__ == "__main__":
    cli.execute(main)
