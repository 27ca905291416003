"""Looks at arms with more and more seeds, and decides as soon as the seeds allow it.

Error: look k = 1, 2, ... spends the part alpha_k of the error rate alpha. Each of the first EVEN_LOOKS looks spends
the same part; all later ones together spend one part more, look EVEN_LOOKS + j the share 1 / (j (j + 1)) of it. The
sum over all k is alpha, so the probability that any statement of any arm at any look is false is at most alpha,
whenever one stops, looks or adds budget (a union bound over looks; Bonferroni 1936). Inside a look, the intervals of
all arms hold together (experiments/reporting/simultaneous.py). So the intersection of an arm's intervals over the
looks is a confidence sequence (Darling and Robbins 1967), and a verdict that follows from it stays.

Statements about the margin use narrower intervals, with 2 alpha_k: "the difference is below the margin" is false only
if it is above, so a one-sided test of level alpha_k suffices (two one-sided tests, Schuirmann 1987). A difference
beyond the margin that is called a difference in the other direction is also called smaller than the margin, so the two
errors are not added.

Four fifths of the error rate are for differences of scores, one fifth for rates of failure (Fisher's exact test,
Bonferroni over the arms).

Seeds: the arms start with FIRST_SEEDS. Before each further look, an undecided arm gets half as many again as it has.
All arms are compared with the base, so the base has more: sqrt(number of undecided arms) times as many (Dunnett 1955),
times the root of the time of an arm's run over that of a base's run: the smallest error for the time (Cochran 1977,
section 5.5).
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.reporting.contrasts import Model
from experiments.reporting.programs import Block, Cell
from experiments.reporting.simultaneous import Family

BASE, FIRST_SEEDS = "base", 3
SHARE_OF_SCORES = 0.8
EVEN_LOOKS = 9  # up to 63 seeds of an arm
UNDECIDED, EQUAL, FAILS = "undecided", "no difference larger than the margin", "fails"
BETTER, WORSE, SMALL = "better", "worse", ", but by less than the margin"
_BLOCK = Block(*[""] * 7)


class Rule(NamedTuple):
    """What is fixed before the first run.

    score: a metric of experiments/reporting/measures.py; lower_is_better: its direction; margin: the smallest
    difference that matters, on the scale of the analysis; error_rate: of the whole comparison; one_look: whether there
    is no second look.
    """

    score: str
    lower_is_better: bool
    margin: float
    error_rate: float = 0.05
    one_look: bool = False

    def alpha(self, look: int) -> float:
        """The error rate that a look spends; look: 1 for the first."""
        if self.one_look:
            return self.error_rate
        part, later = self.error_rate / (EVEN_LOOKS + 1), look - EVEN_LOOKS
        return part if later <= 0 else part / (later * (later + 1))


class ArmLook(NamedTuple):
    """An arm at one look. seeds: of the arm and of the base; interval: the intersection with those of earlier looks.

    margin_interval: the narrower one, for statements about the margin.
    failure_p: of "the arm fails as often as the base", corrected for the arms; None without any run that ended.
    """

    seeds: tuple[int, int]
    difference: float | None
    interval: tuple[float, float]
    margin_interval: tuple[float, float]
    failures: tuple[int, int]
    failure_p: float | None
    verdict: str


class Data(NamedTuple):
    """All runs of one arm that have ended: the scores of those that completed, and the number of lost ones."""

    scores: np.ndarray
    lost: int
    ended: int


def look(
    number: int,
    rule: Rule,
    data: Mapping[str, Data],
    before: Mapping[str, ArmLook],
    earlier: Mapping[Cell, np.ndarray] = {},
) -> dict[str, ArmLook]:
    """Every arm at look `number`. data: arm or BASE -> its runs; before: the arms at the look before.

    earlier: programs of earlier records, for the variance of a seed (experiments/compare/prior.py).
    """
    names = [name for name in data if name != BASE]
    arms = [BASE, *names]
    cells = {(_BLOCK, i): data[arm].scores for i, arm in enumerate(arms) if len(data[arm].scores)}
    model = Model.of(cells, earlier=earlier)
    estimates = [model.contrast({i: 1.0, 0: -1.0}, [_BLOCK]) for i in range(1, len(arms))]
    family, alpha = Family([(model, estimate) for estimate in estimates]), rule.alpha(number) * SHARE_OF_SCORES
    intervals, narrower = family.intervals(alpha), family.intervals(2 * alpha)
    results = {}
    for index, name in enumerate(names):
        last, arm = before.get(name), data[name]
        interval = _narrowed(intervals[index], last and last.interval)
        margin_interval = _narrowed(narrower[index], last and last.margin_interval)
        p = failure_p(arm, data[BASE])
        p = None if p is None else min(1.0, p * len(names))
        decided = last.verdict if last else UNDECIDED
        if decided == UNDECIDED:
            fails = p is not None and p <= rule.alpha(number) * (1 - SHARE_OF_SCORES)
            more = _rate(arm) > _rate(data[BASE])
            decided = FAILS if fails and more else verdict(rule, interval, margin_interval)
        seeds, failures = (len(arm.scores), len(data[BASE].scores)), (arm.lost, data[BASE].lost)
        difference = estimates[index].difference
        results[name] = ArmLook(seeds, difference, interval, margin_interval, failures, p, decided)
    return results


def _narrowed(interval: tuple[float, float] | None, before: tuple[float, float] | None) -> tuple[float, float]:
    """The intersection with the look before. If they are disjoint, one of them is wrong, and the new one counts."""
    low, high = interval or (-math.inf, math.inf)
    if before is None:
        return low, high
    both = max(low, before[0]), min(high, before[1])
    return both if both[0] <= both[1] else (low, high)


def _rate(data: Data) -> float:
    return data.lost / data.ended if data.ended else 0.0


def failure_p(arm: Data, base: Data) -> float | None:
    """Fisher's exact test of the rates of lost runs, two-sided."""
    if not arm.ended or not base.ended:
        return None
    table = [[arm.lost, arm.ended - arm.lost], [base.lost, base.ended - base.lost]]
    return float(stats.fisher_exact(table).pvalue)


def verdict(rule: Rule, interval: tuple[float, float], margin_interval: tuple[float, float]) -> str:
    """The statement that the intervals of the difference allow."""
    low, high = interval
    inside = -rule.margin < margin_interval[0] and margin_interval[1] < rule.margin
    if low <= 0 <= high:
        return EQUAL if inside else UNDECIDED
    better = (high < 0) == rule.lower_is_better
    return (BETTER if better else WORSE) + (SMALL if inside else "")


def more_seeds(seeds: int) -> int:
    """Seeds of an undecided arm at the next look."""
    return seeds + max(seeds // 2, 1)


def base_seeds(seeds: int, num_undecided: int, cost_ratio: float = 1.0) -> int:
    """Seeds of the base, if the undecided arms have so many. cost_ratio: time of an arm's run over that of a base's."""
    return max(round(seeds * math.sqrt(max(num_undecided, 1) * cost_ratio)), FIRST_SEEDS)


def wanted_seeds(seeds: int, undecided: list[str], cost_ratio: float = 1.0) -> dict[str, int]:
    """Seeds of the base and of each undecided arm at a look; the base first, since every arm is compared with it."""
    return {BASE: base_seeds(seeds, len(undecided), cost_ratio), **dict.fromkeys(undecided, seeds)}


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
