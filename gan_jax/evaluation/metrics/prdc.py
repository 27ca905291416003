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


def precision_recall_density_coverage(real: np.ndarray, fake: np.ndarray, num_neighbours: int = 5) -> PRDC:
    """Precision, recall, density and coverage of features real [N, F] and fake [M, F], in float64.

    Let B_k(x) be the open ball around x whose radius is the distance to the k-th nearest other point in the set of x.

    precision = mean_j [fake_j is in B_k(real_i) of some i]         density  = mean_j #{i: fake_j in B_k(real_i)} / k
    recall    = mean_i [real_i is in B_k(fake_j) of some j]         coverage = mean_i [some fake_j is in B_k(real_i)]

    Precision and recall: arXiv 1904.06991 (k = 3, closed balls, which differs only for ties). Density and coverage:
    arXiv 2002.09797 (k = 5). All are in [0, 1], except density, which may exceed 1. Two samples of one distribution do
    not reach 1: with N = M, the expected coverage is 1 - (N - 1)...(N - k) / ((2 N - 1)...(2 N - k)), about 1 - 2^-k,
    and the expected density is 1.

    An outlier in `real` has a large ball that contains many bad images, so precision is too high; an outlier in `fake`
    does the same to recall. Density and coverage depend less on outliers. Values depend on N, M and k: compare only at
    equal ones. Exact duplicates have balls of radius 0, which contain nothing.
    ValueError for fewer than k + 1 rows.
    """
    if num_neighbours < 1:
        raise ValueError(f"expected 1 or more neighbours, got {num_neighbours}")
    real, fake = checked(real, fake, rows=num_neighbours + 1)
    real_radii, fake_radii = _squared_radii(real, num_neighbours), _squared_radii(fake, num_neighbours)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    balls_around_fake = np.zeros(len(fake), np.int64)
    for rows, squares in squared_distances(real, fake):
        in_real_ball = squares < real_radii[rows, None]
        balls_around_fake += in_real_ball.sum(axis=0)
        covered[rows] = in_real_ball.any(axis=1)
        recalled[rows] = (squares < fake_radii).any(axis=1)
    return PRDC(
        precision=float(np.mean(balls_around_fake > 0)),
        recall=float(np.mean(recalled)),
        density=float(np.mean(balls_around_fake) / num_neighbours),
        coverage=float(np.mean(covered)),
    )


def _squared_radii(points: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each point to its k-th nearest neighbour."""
    # Without the copy, the view of one column would keep every block in memory.
    return np.concatenate([np.partition(block, k - 1, axis=1)[:, k - 1].copy() for _, block in distances_among(points)])
