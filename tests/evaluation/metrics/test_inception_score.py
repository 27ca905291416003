"""The classifier score against scipy's entropies, and its smallest and largest value."""

import numpy as np
import pytest
import scipy.stats

from gan_jax.evaluation.metrics.inception_score import classifier_score


def probabilities(rows=200, classes=7, concentration=0.3):
    return np.random.default_rng(0).dirichlet(np.full(classes, concentration), rows)


def test_one_split_equals_the_relative_entropy_of_scipy():
    p = probabilities()
    expected = np.exp(np.mean(scipy.stats.entropy(p, np.broadcast_to(p.mean(axis=0), p.shape), axis=1)))
    assert classifier_score(p, num_splits=1).mean == pytest.approx(expected, rel=1e-12)
    assert classifier_score(p, num_splits=1).standard_deviation == 0
    # The same as the entropy of the mean less the mean entropy.
    expected = np.exp(scipy.stats.entropy(p.mean(axis=0)) - np.mean(scipy.stats.entropy(p, axis=1)))
    assert classifier_score(p, num_splits=1).mean == pytest.approx(expected, rel=1e-12)


def test_splits():
    p = probabilities(103)
    order = np.random.default_rng(5).permutation(103)
    scores = []
    for rows in np.array_split(order, 10):
        conditional, marginal = p[rows], p[rows].mean(axis=0)
        scores.append(np.exp((conditional * (np.log(conditional) - np.log(marginal))).sum(axis=1).mean()))
    score = classifier_score(p, seed=5)
    assert score.mean == pytest.approx(np.mean(scores), rel=1e-12)
    assert score.standard_deviation == pytest.approx(np.std(scores), rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_ends(dtype):
    """Equal probabilities in all rows: 1. Certain and balanced classes: K, also if the rows are sorted by class."""
    same = np.tile(np.array([[0.1, 0.2, 0.7]], dtype), (50, 1))
    assert classifier_score(same) == pytest.approx((1, 0), abs=1e-6)
    sure = np.repeat(np.eye(4, dtype=dtype), 1000, axis=0)
    assert classifier_score(sure, num_splits=1).mean == pytest.approx(4, rel=1e-12)
    assert classifier_score(sure).mean == pytest.approx(4, rel=1e-2)
    # An absent class does not count.
    assert classifier_score(sure[:2000], num_splits=1).mean == pytest.approx(2, rel=1e-12)


def test_invalid_arguments_raise():
    p = probabilities(9)
    for bad in (p, p[0], np.zeros((9, 0))):
        with pytest.raises(ValueError, match="N >= 10 splits"):
            classifier_score(bad)
    for bad in (np.log(p), 2 * p, np.full((9, 3), np.nan)):
        with pytest.raises(ValueError, match="add up to 1"):
            classifier_score(bad, num_splits=1)
