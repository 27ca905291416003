"""Precision, recall, density and coverage: fidelity and variety, by balls around features."""

from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.neighbours import checked, distances_among, squared_distances


class PRDC(NamedTuple):
    """Precision and density are shares of generated images, recall and coverage shares of real images."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall_density_coverage(
    real: np.ndarray, fake: np.ndarray, precision_neighbours: int = 3, density_neighbours: int = 5
) -> PRDC:
    """Precision, recall, density and coverage of features real [N, F] and fake [M, F], in float64.

    precision_neighbours: k of precision and recall. density_neighbours: k of density and coverage.

    Let B_k(x) be the open ball around x whose radius is the distance to the k-th nearest other point in the set of x.

    precision = mean_j [fake_j is in B_k(real_i) of some i]         density  = mean_j #{i: fake_j in B_k(real_i)} / k
    recall    = mean_i [real_i is in B_k(fake_j) of some j]         coverage = mean_i [some fake_j is in B_k(real_i)]

    Precision and recall: arXiv 1904.06991 (there k = 3, and closed balls, which differ only for ties). Density and
    coverage: arXiv 2002.09797 (there k = 5). All are in [0, 1], except density, which may exceed 1. Two samples of one
    distribution do not reach 1: with N = M, the expected coverage is 1 - (N - 1)...(N - k) / ((2 N - 1)...(2 N - k)),
    about 1 - 2^-k, and the expected density is 1.

    An outlier in `real` has a large ball that contains many bad images, so precision is too high; an outlier in `fake`
    does the same to recall. Density and coverage depend less on outliers. Values depend on N, M and k: compare only at
    equal ones. Exact duplicates have balls of radius 0, which contain nothing.
    ValueError for fewer than k + 1 rows.
    """
    ks = (precision_neighbours, density_neighbours)
    if min(ks) < 1:
        raise ValueError(f"expected 1 or more neighbours, got {min(ks)}")
    real, fake = checked(real, fake, rows=max(ks) + 1)
    (narrow, wide), (fake_radii, _) = _squared_radii(real, ks), _squared_radii(fake, ks)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    precise, balls_around_fake = np.zeros(len(fake), bool), np.zeros(len(fake), np.int64)
    for rows, squares in squared_distances(real, fake):
        precise |= (squares < narrow[rows, None]).any(axis=0)
        in_wide_ball = squares < wide[rows, None]
        balls_around_fake += in_wide_ball.sum(axis=0)
        covered[rows] = in_wide_ball.any(axis=1)
        recalled[rows] = (squares < fake_radii).any(axis=1)
    return PRDC(
        precision=float(np.mean(precise)),
        recall=float(np.mean(recalled)),
        density=float(np.mean(balls_around_fake) / density_neighbours),
        coverage=float(np.mean(covered)),
    )


def _squared_radii(points: np.ndarray, ks: tuple[int, int]) -> np.ndarray:
    """Squared distances of each point to its k-th nearest neighbour, for each k: [len(ks), N]."""
    columns = [k - 1 for k in ks]
    # Indices in a list copy: a view of one column would keep every block in memory.
    radii = [np.partition(block, columns, axis=1)[:, columns] for _, block in distances_among(points)]
    return np.concatenate(radii).T
