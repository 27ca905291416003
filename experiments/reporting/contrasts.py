"""Differences between the means of programs, with errors that follow from the pooled variances of pooled.py.

A difference is estimated inside each block (machine) that has all its programs, and averaged with weights 1 / variance.
If the blocks disagree by more than their errors (Birge 1932: chi2 / df > 1), all errors grow by sqrt(chi2 / df).

Each program is stable or unstable, so the error of a difference is a mixture of t distributions: one for each
combination, with the product of the probabilities as its weight. A combination of several variances has the degrees of
freedom of Satterthwaite (1946).
"""

import dataclasses
import itertools
import math
from collections.abc import Container, Mapping
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from experiments.reporting.pooled import Pool, pool
from experiments.reporting.programs import Block, Cell

_NEGLIGIBLE = 1e-7  # A combination of variances with less probability is left out.


class Component(NamedTuple):
    """One t distribution of the mixture: its weight, its scale and its degrees of freedom."""

    weight: float
    scale: float
    df: float


class Estimate(NamedTuple):
    """A difference of programs on the scale of the analysis.

    n: values of the first program and of the second, over all blocks; components: the distribution of the error, empty
    if there is no variance to test with; weights: cell -> its coefficient in the difference; disagreement: p-value of
    "all blocks have the same difference", None with one block; p_value: two-sided, None without a test. smallest_p: of
    a test of two rates, the smallest p-value that its totals allow.
    """

    n: tuple[int, int]
    difference: float | None = None
    components: tuple[Component, ...] = ()
    p_value: float | None = None
    weights: Mapping[Cell, float] = {}
    disagreement: float | None = None
    smallest_p: float | None = None

    def tail(self, distance: float) -> float:
        """Probability that the error exceeds a distance."""
        return sum(c.weight * float(special.stdtr(c.df, -distance / c.scale)) for c in self.components)

    def half_width(self, alpha: float) -> float:
        """Half of the interval that misses the truth with probability alpha."""
        low, high = 0.0, max(component.scale for component in self.components)
        while self.tail(high) > alpha / 2:
            low, high = high, 2 * high
        return float(optimize.brentq(lambda distance: self.tail(distance) - alpha / 2, low, high, xtol=1e-9))


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """The values of all programs in one metric, on the scale of the analysis, and the pool of each block."""

    cells: dict[Cell, np.ndarray]
    pools: dict[Block, Pool | None]

    @classmethod
    def of(
        cls, cells: dict[Cell, np.ndarray], not_pooled: Container[Cell] = (), earlier: Mapping[Cell, np.ndarray] = {}
    ) -> "Model":
        """not_pooled: cells whose own variance means nothing (runs that were cut off); they use the pooled one.

        earlier: programs of earlier records, whose variances are pooled with those of every block. They are in no
        comparison.
        """
        usable = {cell: values for cell, values in cells.items() if cell not in not_pooled}
        blocks = sorted({block for block, _ in cells})
        of_block = lambda block: {cell: values for cell, values in usable.items() if cell[0] == block}  # noqa: E731
        return cls(cells, {block: pool({**of_block(block), **earlier}) for block in blocks})

    def expected_variance(self, cell: Cell) -> float:
        """Variance of a cell's mean, over its possible states. The cell's block has a pool."""
        states = self.pools[cell[0]].states(cell)
        return sum(state.probability * state.variance for state in states) / len(self.cells[cell])

    def contrast(self, coefficients: Mapping[int, float], blocks: list[Block]) -> Estimate:
        """The weighted sum of the programs' means. coefficients: program -> weight; the first is the arm's.

        blocks: those in which every program has runs. A block in which a program has no value is left out.
        """
        blocks = [b for b in blocks if all(len(self.cells.get((b, p), ())) for p in coefficients)]
        first, second = list(coefficients)[:2]
        n = tuple(sum(len(self.cells[b, p]) for b in blocks) for p in (first, second))
        if not blocks:
            return Estimate((0, 0))
        differences = np.array(
            [sum(c * float(np.mean(self.cells[b, p])) for p, c in coefficients.items()) for b in blocks]
        )
        if any(self.pools[b] is None for b in blocks):
            return Estimate(n, float(differences.mean()))
        variances = np.array(
            [sum(c**2 * self.expected_variance((b, p)) for p, c in coefficients.items()) for b in blocks]
        )
        if not variances.all():
            return Estimate(n, float(differences.mean()))
        shares = (1 / variances) / np.sum(1 / variances)
        difference = float(shares @ differences)
        weights = {(b, p): s * c for b, s in zip(blocks, shares, strict=True) for p, c in coefficients.items()}
        disagreement, growth = None, 1.0
        if len(blocks) > 1:
            chi2, df = float(np.sum(np.square(differences - difference) / variances)), len(blocks) - 1
            disagreement, growth = float(stats.chi2.sf(chi2, df)), math.sqrt(max(chi2 / df, 1.0))
        estimate = Estimate(n, difference, self._components(weights, growth), None, weights, disagreement)
        return estimate._replace(p_value=min(1.0, 2 * estimate.tail(abs(difference))))

    def _components(self, weights: Mapping[Cell, float], growth: float) -> tuple[Component, ...]:
        """The mixture over all combinations of the cells' states. growth: factor of all scales."""
        components = []
        for states in itertools.product(*(self.pools[cell[0]].states(cell) for cell in weights)):
            probability = math.prod(state.probability for state in states)
            if probability < _NEGLIGIBLE:
                continue
            # Variances from one source are estimated together, so they share their degrees of freedom.
            parts: dict[tuple, list[float]] = {}
            for (cell, weight), state in zip(weights.items(), states, strict=True):
                part = parts.setdefault((cell[0], state.source), [0.0, state.df])
                part[0] += weight**2 * state.variance / len(self.cells[cell])
            total = sum(variance for variance, _ in parts.values())
            df = total**2 / sum(variance**2 / df for variance, df in parts.values())
            components.append(Component(probability, growth * math.sqrt(total), df))
        return tuple(components)
