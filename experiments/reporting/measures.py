"""Metrics of a run: one number per seed, and the number's format.

A missing seed has no number, and a failed seed has no final score.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from experiments.reporting.results import Run, Study

ACCURACY = 0.8  # the validation accuracy that a run has to reach
# A completed run is degenerate if its accuracy is at most CHANCES times that of guessing, or if its precision or recall
# is under FEW: almost no generated image is near a real one, or almost no real image is near a generated one.
CHANCES, FEW = 2.0, 0.01
EARLY = LATE = 0.2  # the first and the last fifth of a curve
FEWEST_POINTS = 10  # A shorter curve has no metrics.


class Threshold(NamedTuple):
    """The threshold of one study on one base. rising: whether values above the bound reach it."""

    curve: str
    bound: float
    rising: bool
    text: str

    def reached(self, values: np.ndarray) -> np.ndarray:
        return values >= self.bound if self.rising else values <= self.bound


@functools.lru_cache
def threshold(study: Study) -> Threshold | None:
    """A validation accuracy of 80% if any run reaches it, otherwise the baseline's Frechet distance at half its length.

    None if the baseline has no Frechet distances either.
    """
    name = "validation_conditional_accuracy"
    runs = [run for arm in study.arms.values() for run in arm.runs.values()]
    if any(np.any(run.curves[name] >= ACCURACY) for run in runs if name in run.curves):
        return Threshold(name, ACCURACY, True, f"validation conditional accuracy of {ACCURACY:.0%} or more")
    name, halfway = "validation_frechet_distance", []
    for run in study.arms[study.baseline].runs.values() if study.baseline in study.arms else ():
        steps, values = run.curves.get("validation_step", np.array([])), run.curves.get(name, np.array([]))
        known = np.isfinite(values)
        if run.completed and known.any():
            halfway.append(np.interp(steps[-1] / 2, steps[known], values[known]))
    if not halfway:
        return None
    bound = float(np.mean(halfway))
    text = f"validation Frechet distance of {bound:.2f} or less, the baseline's mean at half its length"
    return Threshold(name, bound, False, text)


def steps_to_threshold(study: Study, run: Run) -> float | None:
    """The first scored step at which the run has reached the threshold; infinite if it ended or failed before."""
    goal = threshold(study)
    if goal is None or goal.curve not in run.curves:
        return None
    reached = np.flatnonzero(goal.reached(run.curves[goal.curve]))
    return float(run.curves["validation_step"][reached[0]]) if len(reached) else math.inf


def degenerate(study: Study, run: Run) -> bool | None:
    """Whether a completed run is near chance or has almost no precision or recall; None if it did not complete."""
    if not run.completed:
        return None
    guess = 1 / study.protocol.get("num_classes", 10)
    near_chance = run.final.get("conditional_accuracy", 1.0) <= CHANCES * guess
    return near_chance or any(run.final.get(name, 1.0) < FEW for name in ("precision", "recall"))


def _lost(study: Study, run: Run) -> float | None:
    """1 for a run that failed or is degenerate, 0 for any other run that ended."""
    if run.failed:
        return 1.0
    return None if (lost := degenerate(study, run)) is None else float(lost)


def _known(run: Run, name: str, share: float = 1.0) -> np.ndarray:
    """The finite values of the first `share` of a curve (the last if `share` is negative); none if it is too short."""
    values = run.curves.get(name, np.array([]))
    if len(values) < FEWEST_POINTS:
        return np.array([])
    count = math.ceil(abs(share) * len(values))
    values = values[:count] if share > 0 else values[-count:]
    return values[np.isfinite(values)]


def oscillation(study: Study, run: Run) -> float | None:
    """Standard deviation of D's loss about a straight line, over the second half of the run."""
    del study
    values = _known(run, "d_loss", -0.5)
    if len(values) < FEWEST_POINTS // 2:
        return None
    indices = np.arange(len(values))
    return float(np.std(values - np.polyval(np.polyfit(indices, values, 1), indices), ddof=2))


def _mean_of(curve: str, share: float, scale: Callable = lambda values: values) -> Callable:
    def measure(study: Study, run: Run) -> float | None:
        del study
        values = scale(_known(run, curve, share))
        return float(np.mean(values)) if len(values) else None

    return measure


def _early_distance(study: Study, run: Run) -> float | None:
    """Validation Frechet distance after a fifth of the run, interpolated linearly between the nearest scores."""
    del study
    steps = run.curves.get("validation_step", np.array([]))
    values = run.curves.get("validation_frechet_distance", np.array([]))
    known = np.isfinite(values)
    return float(np.interp(EARLY * run.step, steps[known], values[known])) if run.completed and known.any() else None


def _peak(study: Study, run: Run) -> float | None:
    """log10 of the largest gradient norm of either player. A diverged run counts as failed and has no number."""
    del study
    norms = np.concatenate([_known(run, f"{player}_grad_norm") for player in "dg"])
    return float(np.log10(norms.max())) if len(norms) and norms.max() > 0 else None


def _final(name: str) -> Callable:
    return lambda study, run: run.final.get(name)


class Metric(NamedTuple):
    """One number per seed.

    label: the name in the report.
    measure: (study, run) -> number or None.
    kind: the format (see `format_value`).
    margin: the smallest difference that matters; needed for claims that two arms are alike or that one has no effect.
    relative: whether the margin is relative to the other arm's mean.
    rate: whether the number is a yes (1) or no (0) per seed.
    dead_do_not: a verb, for metrics that are also low in degenerate runs, so that their low value supports no claim.
    """

    label: str
    measure: Callable
    kind: str
    margin: float
    relative: bool = True
    rate: bool = False
    dead_do_not: str = ""


METRICS = {
    "frechet_distance": Metric("Frechet distance, last step", _final("frechet_distance"), "score", 0.1),
    "conditional_accuracy": Metric(
        "conditional accuracy, last step", _final("conditional_accuracy"), "share", 0.02, relative=False
    ),
    "steps_to_threshold": Metric("steps to the threshold", steps_to_threshold, "steps", 0.1, dead_do_not="converge"),
    "seconds": Metric(
        "seconds of training", lambda study, run: run.seconds if run.completed else None, "seconds", 0.05
    ),
    "seconds_per_update": Metric(
        "seconds per generator update",
        lambda study, run: 1 / run.steps_per_second if run.steps_per_second else None,
        "plain",
        0.05,
    ),
    "d_loss_oscillation": Metric(
        "oscillation of D's loss (sd about a line, second half)", oscillation, "plain", 0.1, dead_do_not="oscillate"
    ),
    "late_d_loss": Metric("D's loss, mean of the last fifth", _mean_of("d_loss", -LATE), "plain", 0.1),
    "early_g_gradient": Metric(
        "log10 of G's gradient norm, mean of the first fifth",
        _mean_of("g_grad_norm", EARLY, lambda values: np.log10(values[values > 0])),
        "plain",
        0.3,
        relative=False,
    ),
    "peak_gradient": Metric("log10 of the largest gradient norm", _peak, "plain", 0.3, relative=False),
    "early_frechet_distance": Metric("validation Frechet distance after a fifth", _early_distance, "score", 0.1),
    "lost_runs": Metric("share of runs failed or degenerate", _lost, "share", 0.1, relative=False, rate=True),
}


def values(study: Study, arm: str, metric: Metric) -> dict[int, float]:
    """seed -> number of an arm; seeds without a number are left out."""
    runs = study.arms[arm].runs if arm in study.arms else {}
    by_seed = {seed: metric.measure(study, run) for seed, run in runs.items() if run.completed or run.failed}
    return {seed: value for seed, value in by_seed.items() if value is not None}


def paired_values(study: Study, arm: str, other: str, metric: Metric) -> tuple[dict[int, float], dict[int, float]]:
    """The values of two arms over their common seeds.

    If one run of a pair did not reach the threshold, its length replaces its infinite number of steps; the difference
    is then a lower bound. If neither run reached it, the pair is left out.
    """
    first, second = values(study, arm, metric), values(study, other, metric)
    seeds = [s for s in sorted(first.keys() & second.keys()) if math.isfinite(first[s]) or math.isfinite(second[s])]
    finite = lambda by_seed, name: {  # noqa: E731
        seed: by_seed[seed] if math.isfinite(by_seed[seed]) else study.arms[name].steps for seed in seeds
    }
    return finite(first, arm), finite(second, other)


# kind -> (a value, a difference); a difference of shares is in points.
_FORMATS = {
    "score": (lambda v: f"{v:.2f}", lambda v: f"{v:+.2f}"),
    "share": (lambda v: f"{v:.1%}", lambda v: f"{100 * v:+.1f}"),
    "steps": (lambda v: f"{v:.0f}", lambda v: f"{v:+.0f}"),
    "seconds": (lambda v: f"{v:.0f}", lambda v: f"{v:+.1f}"),
    "plain": (lambda v: f"{v:.3g}", lambda v: f"{v:+.3g}"),
}


def format_value(value: float | None, kind: str, difference: bool = False) -> str:
    return "-" if value is None else _FORMATS[kind][difference](value)


def format_interval(bounds: tuple[float, float] | None, kind: str, difference: bool = False) -> str:
    return "-" if bounds is None else " to ".join(format_value(bound, kind, difference) for bound in bounds)
