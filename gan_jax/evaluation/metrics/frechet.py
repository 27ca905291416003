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
