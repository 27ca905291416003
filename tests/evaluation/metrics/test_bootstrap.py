"""The bootstrap against standard errors known in closed form and against scipy's."""

import numpy as np
import pytest
import scipy.stats

from gan_jax.evaluation.metrics.accuracy import accuracy
from gan_jax.evaluation.metrics.bootstrap import bootstrap_standard_error
from gan_jax.evaluation.metrics.frechet import frechet_distance


def test_standard_error_of_a_mean_and_of_a_difference():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 2, 100), rng.normal(0, 3, 400)
    error = bootstrap_standard_error(np.mean, a, num_resamples=4000)
    assert error == pytest.approx(np.std(a) / 10, rel=0.05)
    result = scipy.stats.bootstrap((a,), np.mean, n_resamples=4000, method="percentile", rng=1)
    assert error == pytest.approx(result.standard_error, rel=0.05)
    error = bootstrap_standard_error(lambda a, b: a.mean() - b.mean(), a, b, num_resamples=4000)
    assert error == pytest.approx(np.sqrt(np.var(a) / 100 + np.var(b) / 400), rel=0.05)


def test_paired_arrays_keep_their_pairs():
    """80 of 100 right: sqrt(0.8 * 0.2 / 100) = 0.04. Unpaired, the accuracy would be that of chance."""
    labels = np.arange(100) % 10
    predicted = np.where(np.arange(100) < 80, labels, (labels + 1) % 10)
    error = bootstrap_standard_error(accuracy, predicted, labels, num_resamples=4000, paired=True)
    assert error == pytest.approx(0.04, rel=0.05)
    accuracies = []
    bootstrap_standard_error(lambda a, b: accuracies.append(np.mean(a == b)) or 0.0, labels, labels, paired=True)
    assert set(accuracies) == {1}
    bootstrap_standard_error(lambda a, b: accuracies.append(np.mean(a == b)) or 0.0, labels, labels)
    assert np.mean(accuracies[100:]) == pytest.approx(0.1, abs=0.02)


def test_frechet_distance_against_fresh_samples():
    """The standard deviation over resamples is about that over 60 new pairs of sets."""

    def pair(seed):
        rng = np.random.default_rng(seed)
        return rng.normal(0, 1, (300, 4)), rng.normal(0.7, 1, (300, 4))

    expected = np.std([frechet_distance(*pair(seed)) for seed in range(60)], ddof=1)
    error = bootstrap_standard_error(frechet_distance, *pair(0))
    assert error == pytest.approx(expected, rel=0.4)
    assert error == bootstrap_standard_error(frechet_distance, *pair(0))
    assert error != bootstrap_standard_error(frechet_distance, *pair(0), seed=1)


def test_invalid_arguments_raise():
    a = np.ones((5, 2))
    for arrays, settings in (((), {}), ((a[:1],), {}), ((np.float64(1),), {}), ((a,), {"num_resamples": 1})):
        with pytest.raises(ValueError, match="2 or more rows"):
            bootstrap_standard_error(np.mean, *arrays, **settings)
    with pytest.raises(ValueError, match="one length"):
        bootstrap_standard_error(np.mean, a, a[:3], paired=True)
