"""Are generated images copies of the training images? Two tests, each against held-out images."""

import math
from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.neighbours import checked, nearest, squared_distances


class Nearer(NamedTuple):
    """Share of generated images nearer to train than to held-out images, its z-score and one-sided p-value."""

    share: float
    z_score: float
    p_value: float


class Copying(NamedTuple):
    """A z-score, negative for copies, and its one-sided p-value."""

    z_score: float
    p_value: float


def nearer_to_train(generated: np.ndarray, train: np.ndarray, held_out: np.ndarray, seed: int = 0) -> Nearer:
    """Share of generated [M, F] whose nearest image is in train [N, F] rather than in held_out [L, F], in [0, 1].

    The larger of train and held_out is subsampled to R = min(N, L) rows, so that 1/2 is chance; copies of training
    images that were left out then score 1/2 as well. The p-value answers: were the two sets dealt out of one pack of
    2 R images at random, how often would the share be this high? Given h_r generated images whose nearest is r, the
    number nearer to train has mean M / 2, variance R / (2 (2 R - 1)) sum_r (h_r - mean h)^2 and a normal tail. So many
    generated images around one training image are one coincidence, not many: a generator that has collapsed onto a
    single image is not flagged. Good and bad images are judged alike. It needs train and held_out of one
    distribution, without an image in both. ValueError for fewer than 2 rows.
    """
    generated, train, held_out = checked(generated, train, held_out)
    size, rng = min(len(train), len(held_out)), np.random.default_rng(seed)
    train, held_out = (
        features[rng.choice(len(features), size, replace=False)] if len(features) > size else features
        for features in (train, held_out)
    )
    # In random order, equal distances, as images of few grey levels have, go to either side.
    order = rng.permutation(2 * size)
    index, _ = nearest(squared_distances(generated, np.concatenate([train, held_out])[order]))
    hits = np.bincount(order[index], minlength=2 * size)
    variance = size / (2 * (2 * size - 1)) * np.sum((hits - hits.mean()) ** 2)
    excess = hits[:size].sum() - len(generated) / 2
    # No variance: every image is nearest equally often, so that the excess is 0.
    z_score = float(excess / math.sqrt(variance)) if variance > 0 else 0.0
    return Nearer(float(hits[:size].sum() / len(generated)), z_score, 0.5 * math.erfc(z_score / math.sqrt(2)))


def data_copying(generated: np.ndarray, train: np.ndarray, held_out: np.ndarray) -> Copying:
    """Z_U of arXiv 2004.05675: are generated images nearer to the training images than held-out images are?

    Mann-Whitney's test on the distances to the nearest of train [N, F], generated [M, F] against held_out [L, F]: the
    paper's C_T with a single cell. Far below 0: copies; far above 0: underfitting, which hides copies. It uses all
    training images, but a generator of plain, typical images lies close to the training images without copying any
    and is flagged, where `nearer_to_train` is not misled: read both. ValueError for fewer than 2 rows.
    """
    generated, train, held_out = checked(generated, train, held_out)
    distances = [nearest(squared_distances(features, train))[1] for features in (generated, held_out)]
    _, z_score, p_value = mann_whitney(*distances)
    return Copying(z_score, p_value)


def mann_whitney(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """(U, z-score, p-value of a being the smaller) for values a [N] and b [M]; Mann and Whitney 1947.

    U = #{i, j: a_i > b_j} + #{i, j: a_i = b_j} / 2 and z = (U - N M / 2) / s, where, with n = N + M and t the sizes of
    the groups of equal values, s^2 = N M / 12 (n + 1 - sum_t (t^3 - t) / (n (n - 1))). The p-value is Phi(z) without a
    continuity correction: rough for fewer than about 10 values. If all values are equal, z is 0. ValueError unless
    both are 1-D and not empty.
    """
    if np.ndim(a) != 1 or np.ndim(b) != 1 or min(len(a), len(b)) < 1:
        raise ValueError(f"expected values [N] and [M], got {np.shape(a)} and {np.shape(b)}")
    count_a, count_b, total = len(a), len(b), len(a) + len(b)
    _, group, sizes = np.unique(np.concatenate([a, b]), return_inverse=True, return_counts=True)
    sizes = sizes.astype(np.float64)  # t^3 overflows integers for large groups
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    statistic = float(ranks[:count_a].sum() - count_a * (count_a + 1) / 2)
    ties = np.sum(sizes**3 - sizes) / (total * (total - 1))
    deviation = math.sqrt(count_a * count_b / 12 * (total + 1 - ties))
    z_score = (statistic - count_a * count_b / 2) / deviation if deviation > 0 else 0.0
    return statistic, z_score, 0.5 * math.erfc(-z_score / math.sqrt(2))
