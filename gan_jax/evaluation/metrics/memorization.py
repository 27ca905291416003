"""Are generated images copies of the training images? Two tests, each against held-out images."""

import math
from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.neighbours import checked, nearest, squared_distances


class Nearer(NamedTuple):
    """Share of generated images nearer to training than to held-out images, its z-score and its one-sided p-value.

    standard_error: of the share, if the images are split into train and held_out at random.
    """

    share: float
    z_score: float
    p_value: float
    standard_error: float


class Copying(NamedTuple):
    """A z-score, which is negative for copies, and its one-sided p-value."""

    z_score: float
    p_value: float


def nearer_to_train(generated: np.ndarray, train: np.ndarray, held_out: np.ndarray, seed: int = 0) -> Nearer:
    """Share of generated [M, F] whose nearest image is in train [N, F], not in held_out [L, F]; in [0, 1].

    The larger of train and held_out is subsampled to R = min(N, L) rows, so that chance is 1/2. Copies of training
    images outside the subsample also score 1/2. The p-value is for the hypothesis that the 2 R images are split into
    train and held_out at random. Let h_r be the number of generated images whose nearest image is r. Then the number
    nearer to train has mean M / 2 and variance R / (2 (2 R - 1)) sum_r (h_r - mean h)^2; its tail is taken as normal.
    Many generated images near one training image count as one coincidence, so a generator that has collapsed to a
    single image is not flagged. The quality of images has no influence. train and held_out must be samples of one
    distribution without common images.
    ValueError for fewer than 2 rows.
    """
    generated, train, held_out = checked(generated, train, held_out)
    size, rng = min(len(train), len(held_out)), np.random.default_rng(seed)
    train, held_out = (
        features[rng.choice(len(features), size, replace=False)] if len(features) > size else features
        for features in (train, held_out)
    )
    # Images with few grey levels have equal distances; the random order splits such ties between both sets.
    order = rng.permutation(2 * size)
    index, _ = nearest(squared_distances(generated, np.concatenate([train, held_out])[order]))
    hits = np.bincount(order[index], minlength=2 * size)
    variance = size / (2 * (2 * size - 1)) * np.sum((hits - hits.mean()) ** 2)
    excess = hits[:size].sum() - len(generated) / 2
    # The variance is 0 if every image is nearest equally often; then the excess is 0.
    z_score = float(excess / math.sqrt(variance)) if variance > 0 else 0.0
    share, error = float(hits[:size].sum() / len(generated)), math.sqrt(variance) / len(generated)
    return Nearer(share, z_score, 0.5 * math.erfc(z_score / math.sqrt(2)), error)


def data_copying(generated: np.ndarray, train: np.ndarray, held_out: np.ndarray) -> Copying:
    """Z_U of arXiv 2004.05675: are generated images nearer to the training images than held-out images are?

    The Mann-Whitney test compares the distances to the nearest image of train [N, F], of generated [M, F] with those of
    held_out [L, F]. It is C_T of the paper with a single cell. Far below 0: copies. Far above 0: underfitting, which
    hides copies. The test uses all training images. It also flags a generator of plain, typical images, which are close
    to training images without being copies; `nearer_to_train` does not flag it, so read both.
    ValueError for fewer than 2 rows.
    """
    generated, train, held_out = checked(generated, train, held_out)
    distances = [nearest(squared_distances(features, train))[1] for features in (generated, held_out)]
    _, z_score, p_value = mann_whitney(*distances)
    return Copying(z_score, p_value)


def mann_whitney(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """(U, z-score, one-sided p-value for smaller values in a) of a [N] and b [M]; Mann and Whitney 1947.

    U = #{i, j: a_i > b_j} + #{i, j: a_i = b_j} / 2 and z = (U - N M / 2) / s. With n = N + M and the sizes t of the
    groups of equal values, s^2 = N M / 12 (n + 1 - sum_t (t^3 - t) / (n (n - 1))). The p-value is Phi(z) without a
    continuity correction; it is rough for fewer than about 10 values. If all values are equal, z is 0.
    ValueError unless both arrays are 1-D and not empty.
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
