"""Random parts of a set of images, and the standard errors of scores of nearest neighbours, which are made of them."""

import math
from collections.abc import Callable, Sequence

import numpy as np

_NUM_PARTS, _NUM_DIVISIONS = 3, 4


def random_parts(num_rows: int, num_parts: int, seed: int = 0) -> list[np.ndarray]:
    """Indices of disjoint random parts of the rows 0, ..., N - 1. Their sizes differ by one at most.

    The rows are shuffled, because images are often stored in the order of their classes or of their makers.
    """
    return np.array_split(np.random.default_rng(seed).permutation(num_rows), num_parts)


def halves_by_class(labels: np.ndarray, seed: int = 0) -> list[np.ndarray]:
    """Indices of two disjoint random halves in which each class has half of its images, give or take one."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    ordered = shuffled[np.argsort(np.asarray(labels)[shuffled], kind="stable")]
    return [rng.permutation(ordered[first::2]) for first in (0, 1)]


def parts_standard_errors(metric: Callable[..., Sequence[float]], *features: np.ndarray) -> list[float] | None:
    """The standard error of each value of metric(*features), over other draws of all images; None for < 30 rows.

    Each set is divided at random into 3 parts. The variance of a value over the parts, divided by 3, is the variance of
    the value of the whole sets; it is averaged over 4 such divisions. A bootstrap is invalid for nearest neighbours,
    because a resample has every image several times. Many small parts are worse than few large ones, because the
    variance times the number of images is not constant; with 3, the errors of precision, recall, density, coverage and
    the 1-NN test were 0.86 to 1.45 times the spread over fresh sets of 500 digits (docs/scores.md).
    """
    if min(map(len, features)) < 10 * _NUM_PARTS:
        return None
    variances = []
    for division in range(_NUM_DIVISIONS):
        parts = []
        for index, array in enumerate(features):
            seed = 1 + division * len(features) + index
            parts.append([array[rows] for rows in random_parts(len(array), _NUM_PARTS, seed)])
        values = [metric(*sets) for sets in zip(*parts, strict=True)]
        variances.append(np.var(values, axis=0, ddof=1) / _NUM_PARTS)
    return [math.sqrt(variance) for variance in np.mean(variances, axis=0)]
