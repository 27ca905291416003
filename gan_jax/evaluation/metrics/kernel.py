"""The kernel distance (KID): a squared maximum mean discrepancy between two sets of features."""

from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.neighbours import BLOCK_ENTRIES, checked


class Estimate(NamedTuple):
    """A value, and its standard error over other draws of both sets."""

    value: float
    standard_error: float


class _Sums(NamedTuple):
    """Of the kernel over pairs of rows of a and b: sums over j [N], sums over i [M], and the sum of squares."""

    of_rows: np.ndarray
    of_columns: np.ndarray
    of_squares: float


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The value of `kernel_estimate`."""
    return kernel_estimate(a, b).value


def kernel_estimate(a: np.ndarray, b: np.ndarray) -> Estimate:
    """mean_{i != j} k(a_i, a_j) + mean_{i != j} k(b_i, b_j) - 2 mean_{i, j} k(a_i, b_j), k(x, y) = (x.y / F + 1)^3.

    arXiv 1801.01401, of features [N, F] and [M, F], in float64. Unlike the Frechet distance it is unbiased at every N
    and M: about 0 for two samples of one distribution, so often slightly negative; always negative for two *identical*
    sets. It has no upper bound and grows with the sixth power of the scale of the features.

    The standard error is that of a U-statistic (Hoeffding 1948; for N = M arXiv 1906.02104). Let r_i be the mean kernel
    of a_i with the other rows of a, minus that with b, and q_aa, q_bb, q_ab the mean squares of the kernels from which
    the means of their rows and columns are subtracted. Then the variance is 4 z_a / N + 4 z_b / M + s with
    z_a = var_i r_i - q_aa / (N - 1) - q_ab / M, z_b likewise, and s = 2 q_aa / (N (N - 1)) + 2 q_bb / (M (M - 1)) +
    4 q_ab / (N M). This estimate is unbiased, but z can be negative for two samples of one distribution; it counts as 0
    then, so for those the error is too large, by a third.
    ValueError for fewer than 2 rows.
    """
    a, b = checked(a, b)
    n, m = len(a), len(b)
    aa, bb, ab = _without_diagonal(a, _sums(a, a)), _without_diagonal(b, _sums(b, b)), _sums(a, b)
    means_a, means_b = aa.of_rows / (n - 1), bb.of_rows / (m - 1)
    value = means_a.mean() + means_b.mean() - 2 * ab.of_rows.mean() / m
    q_aa, q_bb = _centred_within(aa), _centred_within(bb)
    q_ab = _centred_between(ab)
    z_a = np.var(means_a - ab.of_rows / m, ddof=1) - q_aa / (n - 1) - q_ab / m
    z_b = np.var(means_b - ab.of_columns / n, ddof=1) - q_bb / (m - 1) - q_ab / n
    second_order = 2 * q_aa / (n * (n - 1)) + 2 * q_bb / (m * (m - 1)) + 4 * q_ab / (n * m)
    variance = 4 * max(z_a, 0.0) / n + 4 * max(z_b, 0.0) / m + second_order
    return Estimate(float(value), float(np.sqrt(variance)))


def _sums(a: np.ndarray, b: np.ndarray) -> _Sums:
    """Sums over all pairs of rows, computed in blocks."""
    step, of_rows, of_columns, of_squares = max(1, BLOCK_ENTRIES // len(b)), [], np.zeros(len(b)), 0.0
    for start in range(0, len(a), step):
        values = (a[start : start + step] / a.shape[1]) @ b.T + 1.0
        # `values ** 3` takes a hundred times as long.
        values = values * values * values
        of_rows.append(values.sum(axis=1))
        of_columns += values.sum(axis=0)
        of_squares += float(np.einsum("ij,ij->", values, values))
    return _Sums(np.concatenate(of_rows), of_columns, of_squares)


def _without_diagonal(a: np.ndarray, sums: _Sums) -> _Sums:
    """Sums over all pairs of different rows of one set."""
    diagonal = (np.einsum("ij,ij->i", a, a) / a.shape[1] + 1.0) ** 3
    return _Sums(sums.of_rows - diagonal, sums.of_columns - diagonal, sums.of_squares - float(diagonal @ diagonal))


def _centred_between(sums: _Sums) -> float:
    """Mean of (k_ij - r_i - c_j + g)^2 over all pairs, with the means r of rows, c of columns and g of all."""
    n, m = len(sums.of_rows), len(sums.of_columns)
    rows, columns, mean = sums.of_rows / m, sums.of_columns / n, sums.of_rows.mean() / m
    return max(0.0, sums.of_squares / (n * m) - np.mean(rows**2) - np.mean(columns**2) + mean**2)


def _centred_within(sums: _Sums) -> float:
    """Mean of (k_ij - r_i - r_j + g)^2 over all pairs i != j of one set, with the means r of rows and g of all."""
    n = len(sums.of_rows)
    rows, mean = sums.of_rows / (n - 1), sums.of_rows.mean() / (n - 1)
    # Of (r_i + r_j - g)^2 over pairs i != j, and of k_ij (r_i + r_j - g).
    square = 2 * np.mean(rows**2) + 2 * (n * mean**2 - np.mean(rows**2)) / (n - 1) - 3 * mean**2
    product = 2 * np.mean(rows**2) - mean**2
    return max(0.0, sums.of_squares / (n * (n - 1)) - 2 * product + square)
