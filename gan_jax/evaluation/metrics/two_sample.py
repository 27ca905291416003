"""A classifier two-sample test: can a nearest-neighbour classifier distinguish generated from real images?"""

import math
from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.neighbours import checked, distances_among, nearest


class TwoSample(NamedTuple):
    """Accuracies in [0, 1], 1/2 for equally distributed sets; one-sided p-values for a high overall accuracy."""

    accuracy: float
    accuracy_on_real: float
    accuracy_on_fake: float
    p_value: float
    p_value_binomial: float


def nearest_neighbour_test(real: np.ndarray, fake: np.ndarray) -> TwoSample:
    """Leave-one-out accuracy of a 1-nearest-neighbour classifier, real [N, F] against fake [N, F], in float64.

    The classifier two-sample test is arXiv 1610.06545. A 1-NN classifier (as in arXiv 1806.07755) needs no training and
    no settings, so the number is reproducible; it needs no held-out half, so all images count. The two accuracies have
    a meaning: low on real and high on fake images means too little variety (generated images in the middle of each mode
    are the neighbours of real images and of each other). An overall accuracy far *below* 1/2 is no success: copies of
    real images make it 0, and the p-values do not flag this. For copies see `memorization`.

    p_value_binomial: P(X >= correct) for X ~ Binomial(2 N, 1/2), as in the paper, for independent answers. The answers
        are not independent: two points that are each other's neighbours are both right or both wrong. At a level of 5 %
        it called 9 % of equal sets in 2 dimensions different.
    p_value: the one to report. It uses the exact mean and variance of the number of correct answers over permutations
        of the labels on the same graph of neighbours, and a normal tail.

    Both need independent rows, without repeated images.
    ValueError for N < 4, or for sets of different sizes, for which chance is not 1/2.
    """
    real, fake = checked(real, fake, rows=4)
    if len(real) != len(fake):
        raise ValueError(f"expected as many real rows as generated ones, got {len(real)} and {len(fake)}")
    half = len(real)
    neighbour, _ = nearest(distances_among(np.concatenate([real, fake])))
    is_fake = np.arange(2 * half) >= half
    correct = is_fake[neighbour] == is_fake
    mean, variance = _permutation_moments(neighbour)
    score = (correct.sum() - mean) / math.sqrt(variance)
    return TwoSample(
        accuracy=float(correct.mean()),
        accuracy_on_real=float(correct[:half].mean()),
        accuracy_on_fake=float(correct[half:].mean()),
        p_value=0.5 * math.erfc(score / math.sqrt(2)),
        p_value_binomial=_binomial_tail(int(correct.sum()), 2 * half),
    )


def _permutation_moments(neighbour: np.ndarray) -> tuple[float, float]:
    """Mean and variance of #{i: label_i = label_neighbour(i)} over all ways to label half of the points.

    The expected square is the sum of P(i and j are both correct) over all ordered pairs. This probability depends on
    the number of points that the edges i -> neighbour(i) and j -> neighbour(j) share: two (i = j, or mutual
    neighbours), one, or none.
    """
    points = len(neighbour)
    half = points // 2
    two_alike = (half - 1) / (points - 1)
    three_alike = two_alike * (half - 2) / (points - 2)
    # All four labels are equal, or the two labels of each edge are equal and the edges differ.
    two_pairs = (three_alike * (half - 3) + two_alike * half * (half - 1) / (points - 2)) / (points - 3)
    mutual = int(np.sum(neighbour[neighbour] == np.arange(points)))
    in_degree = np.bincount(neighbour, minlength=points)
    one_shared = int(np.sum(in_degree * (in_degree - 1))) + 2 * (points - mutual)
    none_shared = points * (points - 1) - mutual - one_shared
    mean = points * two_alike
    square = (points + mutual) * two_alike + one_shared * three_alike + none_shared * two_pairs
    return mean, square - mean * mean


def _binomial_tail(successes: int, trials: int) -> float:
    """P(X >= successes) of X ~ Binomial(trials, 1/2)."""
    constant = math.lgamma(trials + 1) - trials * math.log(2)
    terms = (constant - math.lgamma(i + 1) - math.lgamma(trials - i + 1) for i in range(successes, trials + 1))
    return min(1.0, math.fsum(map(math.exp, terms)))
