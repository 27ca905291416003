"""The formula of the Inception score, for the probabilities of any classifier."""

from typing import NamedTuple

import numpy as np


class Score(NamedTuple):
    """Mean and standard deviation over splits."""

    mean: float
    standard_deviation: float


def classifier_score(probabilities: np.ndarray, num_splits: int = 10, seed: int = 0) -> Score:
    """exp(mean_x KL(p(y | x) || p(y))) of probabilities [N, K], with p(y) = mean_x p(y | x), in [1, K].

    arXiv 1606.03498. It is the "Inception score" only if the classifier is Inception. With another classifier the
    values are on another scale, hence this name. Real images score below K: report their score too. The score ignores
    conditions and variety within a class: K perfect images, one of each class, score K.

    p(y) is computed for each split. The standard deviation is over splits, with the number of splits in the
    denominator, as published. Rows are shuffled first, because in contiguous splits of images sorted by label every
    score would be 1. Scores are lower for fewer rows in a split.
    ValueError unless every row is a distribution, and for fewer rows than splits.
    """
    probabilities = np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or not probabilities.shape[1] or not 1 <= num_splits <= len(probabilities):
        raise ValueError(f"expected probabilities [N, K] with N >= {num_splits} splits, got {probabilities.shape}")
    # The tolerance 1e-3 allows float16. The condition is also False for NaN.
    if not (np.all(probabilities >= 0) and np.all(np.abs(probabilities.sum(axis=1) - 1) < 1e-3)):
        raise ValueError("expected rows of probabilities that add up to 1; these look like logits")
    shuffled = probabilities[np.random.default_rng(seed).permutation(len(probabilities))]
    scores = [np.exp(np.mean(_divergence(split))) for split in np.array_split(shuffled, num_splits)]
    return Score(float(np.mean(scores)), float(np.std(scores)))


def _divergence(conditional: np.ndarray) -> np.ndarray:
    """KL(row || mean of the rows) of each row, in nats, with 0 log 0 = 0."""
    marginal = np.broadcast_to(conditional.mean(axis=0), conditional.shape)
    ratio = np.divide(conditional, marginal, out=np.ones_like(conditional), where=conditional > 0)
    return np.sum(conditional * np.log(ratio), axis=1)
