"""Precision, recall, density and coverage: fidelity and variety, from balls around features."""

from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.neighbours import checked, distances_among, squared_distances


class PRDC(NamedTuple):
    """Precision and density speak of the generated images, recall and coverage of the real ones."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall_density_coverage(real: np.ndarray, fake: np.ndarray, num_neighbours: int = 5) -> PRDC:
    """Let B_k(x) be the open ball around x that reaches its k-th nearest neighbour in x's own set (x not counted).

    precision = mean_j [fake_j is in B_k(real_i) of some i]         density  = mean_j #{i: fake_j in B_k(real_i)} / k
    recall    = mean_i [real_i is in B_k(fake_j) of some j]         coverage = mean_i [some fake_j is in B_k(real_i)]

    Precision and recall: arXiv 1904.06991 (k = 3; its balls are closed, which differs in ties only). Density and
    coverage: arXiv 2002.09797 (k = 5). Features real [N, F] and fake [M, F], in float64. All are in [0, 1] but density,
    which may exceed 1. Two samples of one distribution do not reach 1: with N = M, coverage is expected at
    1 - (N - 1)...(N - k) / ((2 N - 1)...(2 N - k)), about 1 - 2^-k, and density at 1.

    One outlier among `real` makes a ball that holds many bad images (precision too high), one among `fake` raises
    recall so; density and coverage depend less on outliers. Values move with N, M and k: compare at equal ones only.
    Exact duplicates have balls of radius 0, which hold nothing. ValueError for fewer than k + 1 rows.
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
    """Squared distance of each point to its k-th nearest neighbour among the others."""
    # Without the copy, the view of one column would keep every block in memory.
    return np.concatenate([np.partition(block, k - 1, axis=1)[:, k - 1].copy() for _, block in distances_among(points)])
