"""Number of statistically different bins (NDB): which kinds of image are generated too often or too rarely."""

import math
from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.neighbours import checked, nearest, squared_distances


class Bins(NamedTuple):
    """NDB / K, a divergence in nats, and for each bin [K] the shares and the z-score, positive if overrepresented."""

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

    arXiv 1805.12462: k-means on the training features train [N, F]; generated [M, F] go to the nearest centre; then
    z = (q - p) / sqrt(r (1 - r) (1/N + 1/M)) with the pooled share r = (N p + M q) / (N + M). The Jensen-Shannon
    divergence of p and q is in nats, in [0, log 2], as the authors' code has it; its root is a metric.

    Equally distributed sets give about `level`, not 0, and held-out real images more than that, for the centres were
    fitted to the training ones: give the value of real images beside. The test gets sharper with M, so the share
    depends on M; a mode that splits over several bins counts several times. Bins depend on `seed`; `centres` [K, F] of
    an earlier k_means spare the time for another one. ValueError for fewer than `num_bins` training rows; a bin should
    hold 10 or more for the z-test to be valid.
    """
    train, generated = checked(train, generated)
    centres = k_means(train, num_bins, seed) if centres is None else centres
    num_bins = len(centres)
    counts = [np.bincount(assign(features, centres), minlength=num_bins) for features in (train, generated)]
    (p, q), (n, m) = (count / count.sum() for count in counts), (len(train), len(generated))
    pooled = (counts[0] + counts[1]) / (n + m)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    # No deviation: every image or none is in the bin, so that the shares are equal.
    z_scores = np.divide(q - p, deviation, out=np.zeros(num_bins), where=deviation > 0)
    different = [math.erfc(abs(z) / math.sqrt(2)) < level for z in z_scores]
    return Bins(float(np.mean(different)), _jensen_shannon(p, q), p, q, z_scores)


def k_means(
    features: np.ndarray, num_bins: int, seed: int = 0, max_iterations: int = 300, tolerance: float = 1e-4
) -> np.ndarray:
    """Centres [num_bins, F] by Lloyd's algorithm (1982) from a k-means++ start (Arthur and Vassilvitskii 2007).

    It ends when the squared moves of all centres add up to less than `tolerance` times the features' mean variance
    (scikit-learn's rule and value): near a local optimum, another one for another seed. A bin that runs empty keeps
    its centre. ValueError for fewer rows than bins.
    """
    (features,) = checked(features, rows=max(2, num_bins))
    if num_bins < 1:
        raise ValueError(f"expected 1 or more bins, got {num_bins}")
    centres = _spread_centres(features, num_bins, np.random.default_rng(seed))
    least_move = tolerance * features.var(axis=0).mean()
    for _ in range(max_iterations):
        labels = assign(features, centres)
        counts = np.bincount(labels, minlength=num_bins)
        filled, before = counts > 0, centres.copy()
        centres[filled] = _sums(features, labels, num_bins)[filled] / counts[filled, None]
        if np.sum((centres - before) ** 2) <= least_move:
            break
    return centres


def _sums(features: np.ndarray, labels: np.ndarray, num_bins: int) -> np.ndarray:
    """Sum of the rows of each bin, [K, F]: a product with one-hot labels, in parts, is faster than sorting the rows."""
    total = np.zeros((num_bins, features.shape[1]))
    for start in range(0, len(features), 4096):
        rows = slice(start, start + 4096)
        total += (np.arange(num_bins)[:, None] == labels[rows]).astype(np.float64) @ features[rows]
    return total


def assign(features: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Index of the nearest centre, int [N], of features [N, F] and centres [K, F]."""
    features, centres = checked(features, centres, rows=1)
    return nearest(squared_distances(features, centres))[0]


def _spread_centres(features: np.ndarray, num_bins: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++: each further centre is a row drawn in proportion to its squared distance to the centres so far."""
    chosen = [int(rng.integers(len(features)))]
    squares = np.full(len(features), np.inf)
    for _ in range(num_bins - 1):
        newest = features - features[chosen[-1]]
        squares = np.minimum(squares, np.einsum("ij,ij->i", newest, newest))
        total = squares.sum()
        # With fewer distinct rows than bins, all are at a centre already.
        chosen.append(int(rng.choice(len(features), p=squares / total if total > 0 else None)))
    return features[chosen]


def _jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2, in nats."""
    middle = (p + q) / 2
    halves = [share[share > 0] @ np.log(share[share > 0] / middle[share > 0]) / 2 for share in (p, q)]
    return max(0.0, float(sum(halves)))
