"""Means over seeds, and Holm's correction for many comparisons."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Mean(NamedTuple):
    """A mean over seeds. sd has n - 1 in the denominator; it is None with fewer than two seeds."""

    n: int
    mean: float | None
    sd: float | None


def over_seeds(values: Sequence[float]) -> Mean:
    """Mean and standard deviation of the values of several seeds."""
    values = np.asarray(values, np.float64)
    if not len(values):
        return Mean(0, None, None)
    return Mean(len(values), float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None)


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
