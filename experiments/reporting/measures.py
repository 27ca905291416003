"""Metrics of a run: one number per seed, the scale on which it is analysed, and its format.

A missing seed has no number, and a failed seed has no final score. Metrics that compare runs of one study also need its
context: the threshold, and the updates that all its runs have.
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


class Context(NamedTuple):
    """What a metric needs from the study.

    updates: the length of the shortest arm; window: updates between two points of the longest arm's curves. Curves are
    compared over equal numbers of updates, in windows of equal size.
    """

    threshold: Threshold | None
    num_classes: int
    updates: int
    window: int


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


@functools.lru_cache
def context(study: Study) -> Context:
    completed = [run for arm in study.arms.values() for run in arm.runs.values() if run.completed]
    steps = [run.curves["step"] for run in completed if len(run.curves.get("step", ())) > 1]
    window = max((int(axis[1] - axis[0]) for axis in steps), default=1)
    updates = min((run.step for run in completed), default=0)
    return Context(threshold(study), int(study.protocol.get("num_classes", 10)), updates, max(window, 1))


def steps_to_threshold(run: Run, context: Context) -> float | None:
    """The step at which the run reaches the threshold, linear between two scores; infinite if it ends before."""
    goal = context.threshold
    if goal is None or goal.curve not in run.curves:
        return None
    values, steps = run.curves[goal.curve], run.curves["validation_step"]
    reached = np.flatnonzero(goal.reached(values))
    if not len(reached):
        return math.inf
    last = int(reached[0])
    if last == 0 or not math.isfinite(values[last - 1]):
        return float(steps[last])
    share = (goal.bound - values[last - 1]) / (values[last] - values[last - 1])
    return float(steps[last - 1] + share * (steps[last] - steps[last - 1]))


def degenerate(run: Run, context: Context) -> bool | None:
    """Whether a completed run is near chance or has almost no precision or recall; None if it did not complete."""
    if not run.completed:
        return None
    near_chance = run.final.get("conditional_accuracy", 1.0) <= CHANCES / context.num_classes
    return near_chance or any(run.final.get(name, 1.0) < FEW for name in ("precision", "recall"))


def _lost(run: Run, context: Context) -> float | None:
    """1 for a run that failed or is degenerate, 0 for any other run that ended."""
    if run.failed:
        return 1.0
    return None if (lost := degenerate(run, context)) is None else float(lost)


def _known(run: Run, name: str, share: float = 1.0) -> np.ndarray:
    """The finite values of the first `share` of a curve (the last if `share` is negative); none if it is too short."""
    values = run.curves.get(name, np.array([]))
    if len(values) < FEWEST_POINTS:
        return np.array([])
    count = math.ceil(abs(share) * len(values))
    values = values[:count] if share > 0 else values[-count:]
    return values[np.isfinite(values)]


def oscillation(run: Run, context: Context) -> float | None:
    """Standard deviation of D's loss about a straight line, over the second half of the updates that all runs have.

    The loss is first averaged over the study's window, so that a run with finer curves does not look less steady.
    """
    values, steps = run.curves.get("d_loss", np.array([])), run.curves.get("step", np.array([]))
    if len(values) < FEWEST_POINTS or not context.updates:
        return None
    values = values[steps <= context.updates]
    per_window = max(round(context.window / (steps[1] - steps[0])), 1)
    usable = len(values) // per_window * per_window
    windows = values[:usable].reshape(-1, per_window).mean(axis=1)
    windows = windows[len(windows) // 2 :]
    windows = windows[np.isfinite(windows)]
    if len(windows) < FEWEST_POINTS // 2:
        return None
    indices = np.arange(len(windows))
    return float(np.std(windows - np.polyval(np.polyfit(indices, windows, 1), indices), ddof=2))


def _late_d_loss(run: Run, context: Context) -> float | None:
    del context
    values = _known(run, "d_loss", -LATE)
    return float(np.mean(values)) if len(values) else None


def _early_distance(run: Run, context: Context) -> float | None:
    """Validation Frechet distance after a fifth of the run, interpolated linearly between the nearest scores."""
    del context
    steps = run.curves.get("validation_step", np.array([]))
    values = run.curves.get("validation_frechet_distance", np.array([]))
    known = np.isfinite(values)
    return float(np.interp(EARLY * run.step, steps[known], values[known])) if run.completed and known.any() else None


def _growth_of_g_gradient(run: Run, context: Context) -> float | None:
    """log10 of the ratio of G's gradient norm in the last fifth to that in the first fifth (medians)."""
    del context
    first, last = (_known(run, "g_grad_norm", share) for share in (EARLY, -LATE))
    first, last = first[first > 0], last[last > 0]
    return float(np.log10(np.median(last) / np.median(first))) if len(first) and len(last) else None


def _peak(run: Run, context: Context) -> float | None:
    """log10 of the largest ratio of a player's gradient norm to its median over the run."""
    del context
    norms = [values for player in "dg" if len(values := _known(run, f"{player}_grad_norm")) and np.median(values) > 0]
    return max((float(np.log10(values.max() / np.median(values))) for values in norms), default=None)


def _final(name: str) -> Callable:
    return lambda run, context: run.final.get(name)


class Metric(NamedTuple):
    """One number per seed.

    label: the name in the report.
    measure: (run, context) -> number or None.
    kind: the format of a value (see `format_value`).
    scale: log (differences are factors), linear, or rate (a yes or no per seed: 1 or 0).
    margin: the smallest difference that matters; on the log scale a factor of 1 + margin in either direction.
    dead_do_not: a verb, for metrics that are also low in degenerate runs, so that their low value supports no claim.
    """

    label: str
    measure: Callable
    kind: str
    scale: str
    margin: float
    dead_do_not: str = ""

    @property
    def margin_on_scale(self) -> float:
        return math.log1p(self.margin) if self.scale == "log" else self.margin


METRICS = {
    "frechet_distance": Metric("Frechet distance, last step", _final("frechet_distance"), "score", "log", 0.1),
    "conditional_accuracy": Metric(
        "conditional accuracy, last step", _final("conditional_accuracy"), "share", "linear", 0.02
    ),
    "recall": Metric("recall, last step", _final("recall"), "share", "linear", 0.05),
    "steps_to_threshold": Metric("steps to the threshold", steps_to_threshold, "steps", "log", 0.1, "converge"),
    "d_loss_oscillation": Metric(
        "oscillation of D's loss (sd about a line, second half)", oscillation, "plain", "log", 0.1, "oscillate"
    ),
    "late_d_loss": Metric("D's loss, mean of the last fifth", _late_d_loss, "plain", "log", 0.1),
    "g_gradient_growth": Metric(
        "log10 of G's gradient norm, last fifth to first fifth", _growth_of_g_gradient, "plain", "linear", 0.3
    ),
    "peak_gradient": Metric(
        "log10 of the largest gradient norm to the median of its run", _peak, "plain", "linear", 0.3
    ),
    "early_frechet_distance": Metric("validation Frechet distance after a fifth", _early_distance, "score", "log", 0.1),
    "lost_runs": Metric("share of runs failed or degenerate", _lost, "share", "rate", 0.1),
}


def values(study: Study, arm: str, name: str) -> dict[int, float]:
    """seed -> number of an arm in a metric; seeds without a number are left out."""
    runs = study.arms[arm].runs if arm in study.arms else {}
    return of_runs(runs, METRICS[name], context(study))


def of_runs(runs: dict[int, Run], metric: Metric, context: Context) -> dict[int, float]:
    """seed -> number of these runs, without the runs that have not ended and those without a number."""
    by_seed = {seed: metric.measure(run, context) for seed, run in runs.items() if run.completed or run.failed}
    return {seed: value for seed, value in by_seed.items() if value is not None}
