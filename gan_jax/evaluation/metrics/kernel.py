"""The kernel distance (KID): a squared maximum mean discrepancy between two sets of features."""

from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.neighbours import BLOCK_ENTRIES, checked


class Estimate(NamedTuple):
    """Mean over subsets, and the standard error of that mean."""

    mean: float
    standard_error: float


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """mean_{i != j} k(a_i, a_j) + mean_{i != j} k(b_i, b_j) - 2 mean_{i, j} k(a_i, b_j), k(x, y) = (x.y / F + 1)^3.

    arXiv 1801.01401, of features [N, F] and [M, F], in float64. Unlike the Frechet distance it is unbiased at every N
    and M: about 0 for two samples of one distribution, so often slightly negative; always negative for two *identical*
    sets. It has no upper bound and grows with the sixth power of the scale of the features.
    ValueError for fewer than 2 rows.
    """
    a, b = checked(a, b)
    return _mean_off_diagonal(a) + _mean_off_diagonal(b) - 2.0 * _sum(a, b) / (len(a) * len(b))


def kernel_distance_of_subsets(
    a: np.ndarray, b: np.ndarray, num_subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> Estimate:
    """Mean kernel distance over pairs of random subsets, as it is usually published.

    Rows of a subset are distinct; different subsets may share rows. So the standard error is that of `num_subsets`
    subsets of these images, and decreases with more subsets. It is not the error over other images. The standard
    deviation in papers is standard_error * sqrt(num_subsets).
    ValueError if a set has fewer than `subset_size` rows, or for fewer than 2 subsets.
    """
    a, b = checked(a, b, rows=subset_size)
    if num_subsets < 2 or subset_size < 2:
        raise ValueError(f"expected 2 or more subsets of 2 or more rows, got {num_subsets} of {subset_size}")
    rng = np.random.default_rng(seed)

    def subset(features):
        return features[rng.choice(len(features), subset_size, replace=False)]

    values = [kernel_distance(subset(a), subset(b)) for _ in range(num_subsets)]
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(num_subsets)))


def _sum(a: np.ndarray, b: np.ndarray) -> float:
    """Sum of the kernel over all pairs of rows, computed in blocks."""
    step, total = max(1, BLOCK_ENTRIES // len(b)), 0.0
    for start in range(0, len(a), step):
        values = (a[start : start + step] / a.shape[1]) @ b.T + 1.0
        # `values ** 3` takes a hundred times as long.
        total += float(np.sum(values * values * values))
    return total


def _mean_off_diagonal(a: np.ndarray) -> float:
    """Mean of the kernel over all pairs of different rows."""
    diagonal = np.sum((np.einsum("ij,ij->i", a, a) / a.shape[1] + 1.0) ** 3)
    return (_sum(a, a) - float(diagonal)) / (len(a) * (len(a) - 1))
