"""Checks of features, and Euclidean distances in blocks that fit in memory."""

from collections.abc import Iterator

import numpy as np

BLOCK_ENTRIES = 2**22  # 32 MiB of float64


def checked(*features: np.ndarray, rows: int = 2) -> list[np.ndarray]:
    """The arrays [N, F], [M, F], ... in float64.

    ValueError if F differs, an array has fewer than `rows` rows, or an entry is not finite.
    """
    shapes = [np.shape(array) for array in features]
    if any(len(shape) != 2 or shape[0] < rows or shape[1] != shapes[0][1] or not shape[1] for shape in shapes):
        raise ValueError(f"expected features [N, F] of one F with N >= {rows}, got {', '.join(map(str, shapes))}")
    arrays = [np.asarray(array, np.float64) for array in features]
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("features are not finite")  # NaN would give a wrong number without an error
    return arrays


def squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """|| a_i - b_j ||^2 of float64 [N, F] and [M, F], as (rows of a, block [rows, M]). A block may be overwritten.

    |a|^2 + |b|^2 - 2 a.b is far faster than differences. Its error is about 1e-15 (|a|^2 + |b|^2), so the distance of a
    point to its copy is about 1e-15, not 0. The mean of b is subtracted first to keep the norms small.
    """
    centre = b.mean(axis=0)
    a, b = a - centre, b - centre
    norms_a, norms_b = np.einsum("ij,ij->i", a, a), np.einsum("ij,ij->i", b, b)
    step = max(1, BLOCK_ENTRIES // len(b))
    for start in range(0, len(a), step):
        rows = slice(start, min(start + step, len(a)))
        block = norms_a[rows, None] + norms_b
        block -= (2.0 * a[rows]) @ b.T
        yield rows, np.maximum(block, 0.0, out=block)


def distances_among(points: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of squared distances within one set; the distance of a point to itself is infinity."""
    for rows, block in squared_distances(points, points):
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = np.inf
        yield rows, block


def nearest(blocks: Iterator[tuple[slice, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """(indices int [N], distances [N]) of the nearest point in each row of blocks of squared distances."""
    indices, squares = [], []
    for _, block in blocks:
        indices.append(block.argmin(axis=1))
        squares.append(np.take_along_axis(block, indices[-1][:, None], axis=1)[:, 0])
    return np.concatenate(indices), np.sqrt(np.concatenate(squares))
