"""Number of statistically different bins (NDB): the kinds of images that are generated too often or too rarely."""

import math
from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.neighbours import checked, nearest, squared_distances


class Bins(NamedTuple):
    """Result of `different_bins`.

    share_different: NDB / K, the share of bins that differ.
    jensen_shannon_divergence: in nats.
    train_shares, generated_shares: share of the images in each bin, [K].
    z_scores: [K], positive for a bin with too many generated images.
    """

    share_different: float
    jensen_shannon_divergence: float
    train_shares: np.ndarray
    generated_shares: np.ndarray
    z_scores: np.ndarray


def different_bins(
    train: np.ndarray,
    generated: np.ndarray,
    num_bins: int = 100,
    seed: int = 0,
    level: float = 0.05,
    centres: np.ndarray | None = None,
) -> Bins:
    """Share of bins whose proportions p (train) and q (generated) differ at `level`, two-sided, in [0, 1].

    arXiv 1805.12462: the bins are those of k-means on the training features train [N, F]; generated [M, F] belong to
    the bin of the nearest centre. Then z = (q - p) / sqrt(r (1 - r) (1/N + 1/M)) with the pooled share
    r = (N p + M q) / (N + M). The Jensen-Shannon divergence of p and q is in nats, in [0, log 2], as in the authors'
    code; its root is a metric.

    centres: [K, F] of an earlier `k_means`; replaces num_bins and seed.

    The value of equally distributed sets is about `level`, not 0. The value of held-out real images is higher, because
    the centres are fitted to the training images: report the value of real images too. The value depends on M, because
    the test is more sensitive for more images. A mode that splits over several bins counts several times. Bins depend
    on `seed`. A bin should have 10 or more training images for a valid z-test.
    ValueError for fewer than `num_bins` training rows.
    """
    train, generated = checked(train, generated)
    centres = k_means(train, num_bins, seed) if centres is None else centres
    num_bins = len(centres)
    counts = [np.bincount(assign(features, centres), minlength=num_bins) for features in (train, generated)]
    (p, q), (n, m) = (count / count.sum() for count in counts), (len(train), len(generated))
    pooled = (counts[0] + counts[1]) / (n + m)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    # The deviation is 0 if all images or none are in the bin; then the shares are equal.
    z_scores = np.divide(q - p, deviation, out=np.zeros(num_bins), where=deviation > 0)
    different = [math.erfc(abs(z) / math.sqrt(2)) < level for z in z_scores]
    return Bins(float(np.mean(different)), _jensen_shannon(p, q), p, q, z_scores)


def k_means(
    features: np.ndarray, num_bins: int, seed: int = 0, max_iterations: int = 300, tolerance: float = 1e-4
) -> np.ndarray:
    """Centres [num_bins, F] by Lloyd's algorithm (1982), initialised by k-means++ (Arthur and Vassilvitskii 2007).

    Stops if the squared movements of all centres sum to at most `tolerance` times the mean variance of the features
    (the rule and the value of scikit-learn). The result is near a local optimum, which depends on the seed. An empty
    bin keeps its centre. ValueError for fewer rows than bins.
    """
    (features,) = checked(features, rows=max(2, num_bins))
    if num_bins < 1:
        raise ValueError(f"expected 1 or more bins, got {num_bins}")
    centres = _initial_centres(features, num_bins, np.random.default_rng(seed))
    least_move = tolerance * features.var(axis=0).mean()
    for _ in range(max_iterations):
        labels = assign(features, centres)
        counts = np.bincount(labels, minlength=num_bins)
        nonempty, previous = counts > 0, centres.copy()
        centres[nonempty] = _sums(features, labels, num_bins)[nonempty] / counts[nonempty, None]
        if np.sum((centres - previous) ** 2) <= least_move:
            break
    return centres


def _sums(features: np.ndarray, labels: np.ndarray, num_bins: int) -> np.ndarray:
    """Sum of the rows of each bin, [K, F]. A blockwise product with one-hot labels is faster than sorting the rows."""
    total = np.zeros((num_bins, features.shape[1]))
    for start in range(0, len(features), 4096):
        rows = slice(start, start + 4096)
        total += (np.arange(num_bins)[:, None] == labels[rows]).astype(np.float64) @ features[rows]
    return total


def assign(features: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Index of the nearest centre, int [N], of features [N, F] and centres [K, F]."""
    features, centres = checked(features, centres, rows=1)
    return nearest(squared_distances(features, centres))[0]


def _initial_centres(features: np.ndarray, num_bins: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++: each further centre is a random row, weighted by its squared distance to the nearest centre."""
    chosen_rows = [int(rng.integers(len(features)))]
    squares = np.full(len(features), np.inf)
    for _ in range(num_bins - 1):
        differences = features - features[chosen_rows[-1]]
        squares = np.minimum(squares, np.einsum("ij,ij->i", differences, differences))
        total = squares.sum()
        # With fewer distinct rows than bins, every row is already at a centre.
        chosen_rows.append(int(rng.choice(len(features), p=squares / total if total > 0 else None)))
    return features[chosen_rows]


def _jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2, in nats."""
    middle = (p + q) / 2
    halves = [share[share > 0] @ np.log(share[share > 0] / middle[share > 0]) / 2 for share in (p, q)]
    return max(0.0, float(sum(halves)))
