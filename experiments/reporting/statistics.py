"""Statistics for few seeds: intervals, paired differences, effect size, correction for many comparisons."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95  # the default of an interval


class Mean(NamedTuple):
    """A mean over seeds. sd has n - 1 in the denominator; sd and interval are None with fewer than two seeds."""

    n: int
    mean: float | None
    sd: float | None
    interval: tuple[float, float] | None


class Paired(NamedTuple):
    """Arm minus other arm, seed by seed. `effect` is Hedges' g_z and needs three pairs that differ."""

    n: int
    difference: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    effect: float | None


def confidence_interval(values: Sequence[float], level: float = LEVEL) -> Mean:
    """Mean, standard deviation and t interval: mean +- t((1 + level) / 2, n - 1) * sd / sqrt(n) (Student 1908).

    It assumes independent values from a normal distribution. It has no bounds: the interval of a share may go above
    100%.
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    if n == 0:
        return Mean(0, None, None, None)
    mean = float(values.mean())
    if n == 1:
        return Mean(1, mean, None, None)
    sd = float(values.std(ddof=1))
    half = half_width(n, level) * sd
    return Mean(n, mean, sd, (mean - half, mean + half))


def half_width(n: int, level: float = LEVEL) -> float:
    """Half of the t interval of n values in units of their standard deviation: 9.0 for 2, 2.5 for 3, 1.24 for 5."""
    return float(stats.t.ppf((1 + level) / 2, n - 1)) / math.sqrt(n)


def effect_size(differences: Sequence[float]) -> float | None:
    """Hedges' g_z: Cohen's d_z = mean(d) / sd(d) of paired differences, times the small-sample correction J(n - 1).

    J(m) = Gamma(m / 2) / (sqrt(m / 2) Gamma((m - 1) / 2)), about 1 - 3 / (4 m - 1) (Hedges 1981, eq. 6e). J(1) = 0, so
    the result is None for two pairs, and also if all differences are equal.
    """
    differences = np.asarray(differences, np.float64)
    if len(differences) < 3 or (sd := differences.std(ddof=1)) == 0:
        return None
    m = len(differences) - 1
    correction = math.exp(math.lgamma(m / 2) - math.lgamma((m - 1) / 2)) / math.sqrt(m / 2)
    return float(correction * differences.mean() / sd)


def paired_comparison(arm: Mapping[int, float], other: Mapping[int, float], level: float = LEVEL) -> Paired:
    """Two-sided paired t test of arm - other over the seeds that both have (seed -> value).

    t = mean(d) / (sd(d) / sqrt(n)) with n - 1 degrees of freedom. If all differences are 0, p = 1 (the two arms are the
    same computation). With one pair there is a difference but no test.
    """
    differences = np.array([arm[seed] - other[seed] for seed in sorted(arm.keys() & other.keys())])
    n, mean, sd, interval = confidence_interval(differences, level)
    if n < 2:
        return Paired(n, mean, None, None, None)
    if sd == 0:
        p_value = 1.0 if mean == 0 else 0.0
    else:
        p_value = float(2 * stats.t.sf(abs(mean) / (sd / math.sqrt(n)), n - 1))
    return Paired(n, mean, interval, p_value, effect_size(differences))


def paired_failures(arm: Mapping[int, bool], other: Mapping[int, bool]) -> Paired:
    """McNemar's exact test of a yes or no per seed: arm - other of the rates, over the seeds that both have.

    p is two-sided and binomial with probability 1/2, over the seeds on which the two arms differ (McNemar 1947). It
    cannot be under 0.05 with fewer than six such seeds. There is no interval and no effect size.
    """
    seeds = arm.keys() & other.keys()
    if not seeds:
        return Paired(0, None, None, None, None)
    more = sum(bool(arm[seed] and not other[seed]) for seed in seeds)
    fewer = sum(bool(other[seed] and not arm[seed]) for seed in seeds)
    p_value = float(stats.binomtest(more, more + fewer).pvalue) if more + fewer else 1.0
    return Paired(len(seeds), (more - fewer) / len(seeds), None, p_value, None)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values of a family of tests, in the given order (Holm 1979). None means no test and stays None.

    Sorted p_(1) <= ... <= p_(m): adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)).
    """
    order = sorted((i for i, p in enumerate(p_values) if p is not None), key=lambda i: p_values[i])
    adjusted, highest = list(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
