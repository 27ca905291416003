"""The Frechet distance between Gaussian fits of two sets of features."""

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|| mu_a - mu_b ||^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)) of features [N, F] and [M, F], in float64.

    Dowson and Landau 1982. On Inception features it is the "FID" (arXiv 1706.08500). Covariances have N - 1 in the
    denominator. The estimate is biased upwards for few images: compare only at equal N and M. The trace of the root is
    computed from matrices with F rows or, for fewer images than features, from matrices with as many rows as images:
    the same number, in a time that grows with min(N, M, F)^3.
    ValueError for arrays of other shapes, or fewer than 2 rows.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"expected features [N, F] and [M, F] with N, M >= 2, got {a.shape} and {b.shape}")
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    difference = a.mean(axis=0) - b.mean(axis=0)
    traces = _from_rows if min(len(a), len(b)) < a.shape[1] else _from_covariances
    trace_a, trace_b, cross = traces(a, b)
    return float(difference @ difference + trace_a + trace_b - 2.0 * cross)


def _from_covariances(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """tr S_a, tr S_b, and tr (S_a S_b)^(1/2) from the eigenvalues of S_a^(1/2) S_b S_a^(1/2), all 0 or more."""
    cov_a, cov_b = np.cov(a, rowvar=False).reshape(a.shape[1], -1), np.cov(b, rowvar=False).reshape(a.shape[1], -1)
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0.0)).sum()
    return np.trace(cov_a), np.trace(cov_b), cross


def _from_rows(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """The same from the centred rows A [N, F] and B [M, F], which are scaled such that S_a = A^T A and S_b = B^T B.

    The eigenvalues of S_a S_b that are not 0 are those of C C^T with C = A B^T [N, M], and of C^T C.
    """
    a, b = ((rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1) for rows in (a, b))
    products = a @ b.T if len(a) <= len(b) else b @ a.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(products @ products.T), 0.0)).sum()
    return np.einsum("ij,ij->", a, a), np.einsum("ij,ij->", b, b), cross


def frechet_standard_error(a: np.ndarray, b: np.ndarray) -> float:
    """The standard error of `frechet_distance(a, b)` over other draws of both sets, by its linear approximation.

    The distance changes by mean_i h(a_i) + mean_j h(b_j) to first order, with h(x) = 2 d.(x - mu_a) + |x - mu_a|^2 -
    (x - mu_a)^T T (x - mu_a), the difference of the means d, and the map T = S_a^(-1/2) (S_a^(1/2) S_b S_a^(1/2))^(1/2)
    S_a^(-1/2) that transports one Gaussian to the other; b likewise. So the error is sqrt(var h(a) / N + var h(b) / M).
    It needs no resamples, which take a time of min(N, M, F)^3 each, and of which 50 still have a relative error of
    1 / sqrt(2 (50 - 1)) = 10 %.
    If the distance is mainly noise, of two samples of one distribution, the error is too large, by up to sqrt(2); that
    of a bootstrap is by up to sqrt(3).
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    difference = a.mean(axis=0) - b.mean(axis=0)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    transported = _transported_of_rows if min(len(a), len(b)) < a.shape[1] else _transported
    variance = 0.0
    for rows, products, sign in zip((a, b), transported(a, b), (1, -1), strict=True):
        influence = np.einsum("ij,ij->i", rows, rows) - products + 2 * sign * rows @ difference
        variance += np.var(influence, ddof=1) / len(rows)
    return float(np.sqrt(variance))


def _transported(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a_i^T T a_i [N] and b_j^T T^-1 b_j [M] of centred rows, from the covariances."""
    (root_a, whiten_a), (root_b, whiten_b) = (_root_and_inverse(x.T @ x / (len(x) - 1)) for x in (a, b))
    left, values, right = np.linalg.svd(root_a @ root_b)
    return (a @ (whiten_a @ left)) ** 2 @ values, (b @ (whiten_b @ right.T)) ** 2 @ values


def _root_and_inverse(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S^(1/2) and its pseudo-inverse: features that never vary have eigenvalues of 0, up to rounding."""
    values, vectors = np.linalg.eigh(covariance)
    roots = np.sqrt(np.maximum(values, 0.0))
    inverses = np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 1e-7 * roots[-1])
    return (vectors * roots) @ vectors.T, (vectors * inverses) @ vectors.T


def _transported_of_rows(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same from products of the rows: a_i^T T a_i is N - 1 times an entry of the diagonal of (A S_b A^T)^(1/2)."""
    if len(a) > len(b):
        return _transported_of_rows(b, a)[::-1]
    products = a @ b.T
    squares, vectors = np.linalg.eigh(products @ products.T)
    values = np.sqrt(np.maximum(squares, 0.0))
    inverses = np.divide(1.0, values, out=np.zeros_like(values), where=values > 1e-7 * values[-1])
    scale = np.sqrt((len(a) - 1) / (len(b) - 1))
    return scale * vectors**2 @ values, (products.T @ vectors) ** 2 @ inverses / scale
