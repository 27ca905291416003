"""Looks at arms with more and more seeds, and decides as soon as the seeds allow it.

Error: every look has a number k = 1, 2, ... and spends alpha_k = alpha / (k (k + 1)) of the error rate alpha. The sum
over all k is alpha, so the probability that any interval of any arm at any look misses the truth is at most alpha,
whenever one stops, looks or adds budget (a union bound over looks; Bonferroni 1936). Inside a look, the intervals of
all arms hold together (experiments/reporting/simultaneous.py). So the intersection of an arm's intervals over the looks
is a confidence sequence (Darling and Robbins 1967), and a verdict that follows from it stays.

Four fifths of the error rate are for differences of scores, one fifth for rates of failure (Fisher's exact test,
Bonferroni over the arms).

Seeds: the arms start with FIRST_SEEDS. Before each further look, an undecided arm gets half as many again as it has.
All arms are compared with the base, so the base has sqrt(number of undecided arms) times as many (Dunnett 1955).
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.reporting.contrasts import Estimate, Model
from experiments.reporting.programs import Block
from experiments.reporting.simultaneous import adjust

BASE, FIRST_SEEDS = "base", 3
SHARE_OF_SCORES = 0.8
UNDECIDED, EQUAL, FAILS = "undecided", "no difference larger than the margin", "fails"
BETTER, WORSE, SMALL = "better", "worse", ", but by less than the margin"
_BLOCK = Block(*[""] * 7)


class Rule(NamedTuple):
    """What is fixed before the first run.

    score: a metric of experiments/reporting/measures.py; lower_is_better: its direction; margin: the smallest
    difference that matters, on the scale of the analysis; error_rate: of the whole comparison.
    """

    score: str
    lower_is_better: bool
    margin: float
    error_rate: float = 0.05

    def alpha(self, look: int) -> float:
        """The error rate that a look spends; look: 1 for the first."""
        return self.error_rate / (look * (look + 1))


class ArmLook(NamedTuple):
    """An arm at one look. seeds: of the arm and of the base; interval: the intersection with those of earlier looks.

    failure_p: of "the arm fails as often as the base", corrected for the arms; None without any run that ended.
    """

    seeds: tuple[int, int]
    difference: float | None
    interval: tuple[float, float]
    failures: tuple[int, int]
    failure_p: float | None
    verdict: str


class Data(NamedTuple):
    """All runs of one arm that have ended: the scores of those that completed, and the number of lost ones."""

    scores: np.ndarray
    lost: int
    ended: int


def look(number: int, rule: Rule, data: Mapping[str, Data], before: Mapping[str, ArmLook]) -> dict[str, ArmLook]:
    """Every arm at look `number`. data: arm or BASE -> its runs; before: the arms at the look before."""
    names = [name for name in data if name != BASE]
    estimates, intervals = _compare(names, data, rule.alpha(number) * SHARE_OF_SCORES)
    results = {}
    for name in names:
        interval = intervals[name] or (-math.inf, math.inf)
        if name in before:
            low, high = before[name].interval
            narrowed = max(low, interval[0]), min(high, interval[1])
            interval = narrowed if narrowed[0] <= narrowed[1] else interval  # Disjoint: one of them is wrong.
        p = failure_p(data[name], data[BASE])
        p = None if p is None else min(1.0, p * len(names))
        decided = before[name].verdict if name in before else UNDECIDED
        if decided == UNDECIDED:
            fails = p is not None and p <= rule.alpha(number) * (1 - SHARE_OF_SCORES)
            more = _rate(data[name]) > _rate(data[BASE])
            decided = FAILS if fails and more else verdict(rule, interval)
        seeds, failures = (len(data[name].scores), len(data[BASE].scores)), (data[name].lost, data[BASE].lost)
        results[name] = ArmLook(seeds, estimates[name].difference, interval, failures, p, decided)
    return results


def _compare(
    names: list[str], data: Mapping[str, Data], alpha: float
) -> tuple[dict[str, Estimate], dict[str, tuple[float, float] | None]]:
    """Arm -> its difference from the base, and the simultaneous interval; None without a variance."""
    arms = [BASE, *names]
    model = Model.of({(_BLOCK, i): data[arm].scores for i, arm in enumerate(arms) if len(data[arm].scores)})
    estimates = {name: model.contrast({i: 1.0, 0: -1.0}, [_BLOCK]) for i, name in enumerate(names, 1)}
    adjusted = adjust([(model, estimates[name]) for name in names], alpha)
    return estimates, {name: result.interval for name, result in zip(names, adjusted, strict=True)}


def _rate(data: Data) -> float:
    return data.lost / data.ended if data.ended else 0.0


def failure_p(arm: Data, base: Data) -> float | None:
    """Fisher's exact test of the rates of lost runs, two-sided."""
    if not arm.ended or not base.ended:
        return None
    table = [[arm.lost, arm.ended - arm.lost], [base.lost, base.ended - base.lost]]
    return float(stats.fisher_exact(table).pvalue)


def verdict(rule: Rule, interval: tuple[float, float]) -> str:
    """The statement that an interval of the difference allows."""
    low, high = interval
    inside = -rule.margin < low and high < rule.margin
    if low <= 0 <= high:
        return EQUAL if inside else UNDECIDED
    better = (high < 0) == rule.lower_is_better
    return (BETTER if better else WORSE) + (SMALL if inside else "")


def more_seeds(seeds: int) -> int:
    """Seeds of an undecided arm at the next look."""
    return seeds + max(seeds // 2, 1)


def base_seeds(seeds: int, num_undecided: int) -> int:
    """Seeds of the base, if the undecided arms have so many."""
    return round(seeds * math.sqrt(max(num_undecided, 1)))


def wanted_seeds(seeds: int, undecided: list[str]) -> dict[str, int]:
    """Seeds of the base and of each undecided arm at a look; the base first, since every arm is compared with it."""
    return {BASE: base_seeds(seeds, len(undecided)), **dict.fromkeys(undecided, seeds)}


def seeds_to_decide(rule: Rule, number: int, arm: ArmLook) -> int:
    """About how many seeds an undecided arm needs in all, if its difference is the one that has been seen.

    The interval's half width falls with the square root of the seeds. It must become smaller than the difference, or
    than the distance of the difference to the margin.
    """
    half = (arm.interval[1] - arm.interval[0]) / 2
    if arm.difference is None or not math.isfinite(half):
        return more_seeds(arm.seeds[0])
    target = max(abs(arm.difference), rule.margin - abs(arm.difference), 1e-3)
    # The later look has a smaller error rate.
    ratio = stats.norm.isf(rule.alpha(number + 2) / 2) / stats.norm.isf(rule.alpha(number) / 2)
    return max(math.ceil(arm.seeds[0] * (half * ratio / target) ** 2), arm.seeds[0] + 1)
