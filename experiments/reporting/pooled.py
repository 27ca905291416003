"""The variance of a seed, estimated from all programs of a machine at once.

Model: in block b (a machine), the value of program p with seed s is y = mean[b, p] + error, and the errors are
independent and normal. On the scale of the analysis (the logarithm, for distances) most programs have one variance.
Three seeds of a program say little about it, but all programs together have many degrees of freedom.

Some programs are unstable: their variance is many times larger, and three seeds may hide it. So each program is stable
with probability 1 - u and unstable with probability u, given its own sum of squares. The two variances and the share of
unstable programs are estimated by expectation maximization (Dempster, Laird and Rubin 1977), with a weak prior: as if
PRIOR_PROGRAMS more programs had been seen, with PRIOR_SHARE of them unstable, and as if one unstable program of three
seeds had PRIOR_RATIO times the stable variance. The prior matters in small studies.

A program whose variance is smaller than that of the others (F test, Holm, 5%) is frozen: all its seeds end alike, for
example at chance. It is left out, and its comparisons use its own variance.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.reporting.programs import Cell
from experiments.reporting.statistics import holm

ALPHA_OF_HOMOGENEITY = 0.05
# About a tenth of the programs in the committed results on the tuned base are unstable, with 20 times the variance.
PRIOR_PROGRAMS, PRIOR_SHARE, PRIOR_RATIO, PRIOR_DF = 20, 0.1, 20.0, 2
_ROUNDS, _PRECISION = 200, 1e-12  # at most; relative change of all three numbers at which it has converged


class State(NamedTuple):
    """One possible variance of a program's values. df: of the estimate; source: equal for states that share it."""

    probability: float
    variance: float
    df: float
    source: str


class Pool(NamedTuple):
    """The variances of a block. unstable: cell -> probability that it is unstable; frozen: cell -> own variance."""

    variance: float
    df: float
    unstable_variance: float
    unstable_df: float
    share: float
    unstable: dict[Cell, float]
    frozen: dict[Cell, tuple[float, int]]

    def states(self, cell: Cell) -> list[State]:
        """The possible variances of a cell's values; of a cell with one seed, by the share of unstable programs."""
        if cell in self.frozen:
            variance, df = self.frozen[cell]
            return [State(1.0, variance, df, str(cell))]
        u = self.unstable.get(cell, self.share)
        return [
            State(1 - u, self.variance, self.df, "stable"),
            State(u, self.unstable_variance, self.unstable_df, "unstable"),
        ]


def pool(cells: Mapping[Cell, np.ndarray]) -> Pool | None:
    """The pool of the cells with two values or more; None if there is no variance to pool."""
    squares = {cell: (_sum_of_squares(values), len(values) - 1) for cell, values in cells.items() if len(values) > 1}
    frozen = _frozen(squares)
    squares = {cell: pair for cell, pair in squares.items() if cell not in frozen}
    if not sum(own for own, _ in squares.values()):
        return None
    own, df = (np.array(column, np.float64) for column in zip(*squares.values(), strict=True))
    # From the median of the variances, which a few unstable programs do not move.
    variance = float(np.median(own / df)) or float(own.sum() / df.sum())
    unstable_variance, share = PRIOR_RATIO * variance, PRIOR_SHARE
    for _ in range(_ROUNDS):
        before = variance, unstable_variance, share
        u = _probability(own, df, variance, unstable_variance, share)
        variance = float(np.sum((1 - u) * own) / np.sum((1 - u) * df))
        prior = PRIOR_DF * PRIOR_RATIO * variance
        unstable_variance = float((prior + np.sum(u * own)) / (PRIOR_DF + np.sum(u * df)))
        share = float((PRIOR_PROGRAMS * PRIOR_SHARE + np.sum(u)) / (PRIOR_PROGRAMS + len(u)))
        if np.allclose((variance, unstable_variance, share), before, rtol=_PRECISION, atol=0):
            break
    dfs = float(np.sum((1 - u) * df)), float(PRIOR_DF + np.sum(u * df))
    return Pool(variance, dfs[0], unstable_variance, dfs[1], share, dict(zip(squares, map(float, u))), frozen)  # noqa: B905


def _sum_of_squares(values: np.ndarray) -> float:
    return float(np.sum(np.square(values - np.mean(values))))


def _probability(own: np.ndarray, df: np.ndarray, variance: float, unstable: float, share: float) -> np.ndarray:
    """Bayes' rule: own / variance is chi-squared with df degrees of freedom, whose density is this up to a factor."""
    log_density = lambda v: -0.5 * df * math.log(v) - 0.5 * own / v  # noqa: E731
    log_odds = math.log(share / (1 - share)) + log_density(unstable) - log_density(variance)
    return 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))


def _frozen(squares: Mapping[Cell, tuple[float, int]]) -> dict[Cell, tuple[float, int]]:
    """Cells with a smaller variance than the others -> (own variance, degrees of freedom).

    Tests are two-sided and repeated without the most different cell, so that unstable programs do not make all others
    look frozen.
    """
    remaining, frozen = dict(squares), {}
    while len(remaining) > 2:
        own, df = (np.array(column, np.float64) for column in zip(*remaining.values(), strict=True))
        others = (own.sum() - own) / (df.sum() - df)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(others > 0, own / df / others, np.inf)
        below = stats.f.cdf(ratio, df, df.sum() - df)
        p_values = 2 * np.minimum(below, 1 - below)
        lowest = int(np.argmin(p_values))
        if holm(list(p_values))[lowest] >= ALPHA_OF_HOMOGENEITY:
            break
        cell = list(remaining)[lowest]
        cell_squares, cell_df = remaining.pop(cell)
        if below[lowest] < 0.5:
            frozen[cell] = cell_squares / cell_df, cell_df
    return frozen
