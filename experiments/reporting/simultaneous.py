"""Corrects a family of comparisons for its size: single-step max-|t| (Dunnett 1955; Hothorn, Bretz and Westfall 2008).

All comparisons with one baseline share the baseline's noise, so they are correlated, and Bonferroni's correction is too
strict. Here the distribution of the largest |t| of the family is simulated: cell means are drawn as independent normal
numbers with the estimated variances, and the differences are computed from them as from the real means. Each statistic
is first turned into a normal one with the same p-value, since the comparisons have different degrees of freedom.
Metrics are drawn independently of each other, which cannot make the correction too small (Sidak 1967).

The tests and the intervals belong together: a difference is decided if its simultaneous interval excludes 0.

Rates of failure are another outcome, and a family of their own: Bonferroni over the tests that can be significant at
all (Tarone 1990), since an exact test of three runs against six has a smallest possible p-value.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.reporting.contrasts import Estimate, Model

ALPHA = 0.05  # of a family
DRAWS = 50_000  # The Monte Carlo error of an adjusted p of 0.05 is 0.001.
_MAX_DRAWN = 10_000  # at once, for the memory
_FEWEST_BEYOND = 250  # draws beyond a quantile, for a relative error of its probability of 6%


class Adjusted(NamedTuple):
    """p: adjusted p-value; interval: simultaneous, on the scale of the analysis. None without a test."""

    p: float | None
    interval: tuple[float, float] | None


class Family:
    """The comparisons of a family that have a test, with the distribution of their largest |z|.

    tests: (model, estimate) of every comparison; one without a test has neither p nor interval.
    """

    def __init__(self, tests: list[tuple[Model, Estimate]]):
        self._estimates = [estimate for _, estimate in tests]
        tested = [test for test in tests if test[1].p_value is not None]
        self._largest = _largest(tested) if tested else np.empty(0)

    def p_values(self) -> list[float | None]:
        """Adjusted p-values."""
        return [None if estimate.p_value is None else self._p(estimate.p_value) for estimate in self._estimates]

    def _p(self, p_value: float) -> float:
        # The smallest p-value counts as 1e-300, since the normal quantile of 0 is infinite.
        return float(np.mean(self._largest >= stats.norm.isf(max(p_value, 1e-300) / 2)))

    def intervals(self, alpha: float) -> list[tuple[float, float] | None]:
        """Intervals that all hold together with probability 1 - alpha."""
        if not len(self._largest):
            return [None] * len(self._estimates)
        single = 2 * float(stats.norm.sf(_critical_value(self._largest, alpha)))
        return [None if e.p_value is None else _interval(e, single) for e in self._estimates]


def _interval(estimate: Estimate, alpha: float) -> tuple[float, float]:
    half = estimate.half_width(alpha)
    return estimate.difference - half, estimate.difference + half


def adjust(tests: list[tuple[Model, Estimate]], alpha: float = ALPHA) -> list[Adjusted]:
    """Adjusted p-values of a family, and intervals that all hold together with probability 1 - alpha."""
    family = Family(tests)
    return [Adjusted(p, interval) for p, interval in zip(family.p_values(), family.intervals(alpha), strict=True)]


def _critical_value(largest: np.ndarray, alpha: float) -> float:
    """The quantile 1 - alpha of the largest |z|, beyond the draws by the tail of a normal number (Bonferroni)."""
    if alpha * len(largest) >= _FEWEST_BEYOND:
        return float(np.quantile(largest, 1 - alpha))
    at = _FEWEST_BEYOND / len(largest)
    tests = at / (2 * stats.norm.sf(np.quantile(largest, 1 - at)))  # the number of independent tests that it is like
    return float(stats.norm.isf(alpha / (2 * tests)))


def _largest(tests: list[tuple[Model, Estimate]]) -> np.ndarray:
    """Draws of the largest |z| of the family if no difference is real. Float64 [DRAWS]."""
    rng, parts = np.random.default_rng(0), []
    groups: dict[int, list[tuple[Model, Estimate]]] = {}
    for model, estimate in tests:
        groups.setdefault(id(model), []).append((model, estimate))
    matrices = [_loadings(group) for group in groups.values()]
    for _ in range(0, DRAWS, _MAX_DRAWN):
        drawn = [np.abs(rng.standard_normal((_MAX_DRAWN, len(m.T))) @ m.T).max(axis=1) for m in matrices]
        parts.append(np.max(drawn, axis=0))
    return np.concatenate(parts)


def _loadings(group: list[tuple[Model, Estimate]]) -> np.ndarray:
    """Matrix [comparisons, cells] that makes correlated z of independent normal numbers; each row has length 1."""
    model = group[0][0]
    cells = sorted({cell for _, estimate in group for cell in estimate.weights})
    errors = np.sqrt([model.expected_variance(cell) for cell in cells])
    rows = np.array([[estimate.weights.get(cell, 0.0) for cell in cells] for _, estimate in group]) * errors
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def adjust_rates(estimates: list[Estimate]) -> list[Adjusted]:
    """Adjusted p-values of exact tests of rates: times K, the number of tests whose smallest p is at most ALPHA / K."""
    smallest = [estimate.smallest_p for estimate in estimates if estimate.smallest_p is not None]
    k = 1
    while sum(p <= ALPHA / k for p in smallest) > k:
        k += 1
    return [
        Adjusted(None if estimate.p_value is None else min(1.0, k * estimate.p_value), None) for estimate in estimates
    ]
