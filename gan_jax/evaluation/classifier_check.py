"""Whether a classifier recognises real images well enough for its scores to mean something."""

import math
from collections.abc import Sequence

import numpy as np

from gan_jax.evaluation.metrics.accuracy import accuracy

_LEVEL = 0.01  # of the tests


def weakness(predicted: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> str:
    """One line if the classifier is too weak for conditional accuracy, otherwise "".

    predicted, labels: int [N], of held-out images.

    Let C[j, k] be the share of the images of class j that are taken for k. A generator that shows j when it is asked
    for k has an expected conditional accuracy of C[j, k] for class k. So the score prefers the right class only if
    C[k, k] is the largest number of column k. The classifier is too weak if one C[j, k] is significantly larger
    (Fisher's exact test, at 1% over all pairs of classes), or if its accuracy is not significantly above the share of
    the most frequent class (exact binomial test at 1%), which needs no look at the images.
    """
    share, right = np.bincount(labels).max() / len(labels), int(np.sum(predicted == labels))
    line = f"the classifier recognises {accuracy(predicted, labels):.1%} of these real images"
    advice = "do not rely on conditional accuracy or the classifier score"
    if _binomial_tail(right, len(labels), share) > _LEVEL:
        return f"{line}, which is not clearly more than always naming the most frequent class ({share:.1%}): {advice}"
    if pair := _mistaken(predicted, labels, len(class_names)):
        shown, asked = (class_names[label] for label in pair)
        return f"{line}, but takes more images of class {shown} for {asked} than of {asked} itself: {advice}"
    return ""


def _mistaken(predicted: np.ndarray, labels: np.ndarray, num_classes: int) -> tuple[int, int] | None:
    """Two classes (j, k) with C[j, k] significantly above C[k, k], the most significant ones; None without any."""
    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (labels, predicted), 1)
    totals = counts.sum(axis=1)
    level = _LEVEL / (num_classes * (num_classes - 1))
    # C[j, k] > C[k, k], without a division by 0.
    candidates = np.argwhere(counts * totals > np.diag(counts) * totals[:, None])
    p_values = [
        (_hypergeometric_tail(int(counts[j, k]), int(totals[j]), int(counts[k, k]), int(totals[k])), (int(j), int(k)))
        for j, k in candidates
    ]
    p_value, pair = min(p_values, default=(1.0, None))
    return pair if p_value <= level else None


def _binomial_tail(successes: int, trials: int, share: float) -> float:
    """P(X >= successes) of a binomial X."""
    if share == 1 or not successes:
        return 1.0
    ways = math.lgamma(trials + 1)
    return math.fsum(
        math.exp(
            ways
            - math.lgamma(k + 1)
            - math.lgamma(trials - k + 1)
            + k * math.log(share)
            + (trials - k) * math.log1p(-share)
        )
        for k in range(successes, trials + 1)
    )


def _hypergeometric_tail(x: int, n: int, y: int, m: int) -> float:
    """P-value of Fisher's exact test that x of n is a larger share than y of m."""
    total, ways = x + y, math.comb(n + m, x + y)
    return sum(math.comb(n, i) * math.comb(m, total - i) for i in range(x, min(n, total) + 1)) / ways
