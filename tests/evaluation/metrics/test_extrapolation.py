"""The extrapolated Frechet distance against numpy.polyfit and Gaussians of known distance."""

import numpy as np
import pytest

from gan_jax.evaluation.metrics.extrapolation import extrapolated_frechet_distance
from gan_jax.evaluation.metrics.frechet import frechet_distance


def normal(seed, rows, columns, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(shift, scale, (rows, columns))


def test_intercept_and_slope_equal_numpy_polyfit():
    result = extrapolated_frechet_distance(normal(0, 300, 4), normal(1, 250, 4, shift=1.0), num_points=7)
    slope, intercept = np.polyfit(1 / result.sizes, result.distances, 1)
    assert result[:2] == pytest.approx((intercept, slope), rel=1e-9)
    assert (result.sizes[0], result.sizes[-1], len(result.sizes)) == (25, 250, 7)


def test_the_last_size_is_all_images():
    real, fake = normal(0, 200, 3), normal(1, 200, 3, shift=1.0)
    result = extrapolated_frechet_distance(real, fake, num_points=3, smallest=50)
    assert list(result.sizes) == [50, 125, 200]
    assert result.distances[-1] == pytest.approx(frechet_distance(real, fake), rel=1e-9)
    again, other = (extrapolated_frechet_distance(real, fake, 3, 50, seed) for seed in (0, 1))
    assert result.distance == again.distance != other.distance


def test_nearer_to_the_closed_form_than_the_plain_estimate():
    """N(0, I) and N(0.2, 1.5^2 I) in 8 dimensions: 8 * (0.2^2 + 0.5^2) = 2.32."""
    truth, errors = 8 * (0.2**2 + 0.5**2), []
    for seed in range(20):
        real, fake = normal(2 * seed, 600, 8), normal(2 * seed + 1, 600, 8, shift=0.2, scale=1.5)
        extrapolated = extrapolated_frechet_distance(real, fake, seed=seed).distance
        errors.append((frechet_distance(real, fake) - truth, extrapolated - truth))
    plain, extrapolated = np.mean(errors, axis=0)
    assert abs(extrapolated) < plain / 2
    assert np.mean(np.abs(errors), axis=0)[1] < 1.1 * np.mean(np.abs(errors), axis=0)[0]


def test_equal_distributions_are_at_0():
    values = [extrapolated_frechet_distance(normal(2 * s, 400, 8), normal(2 * s + 1, 400, 8)) for s in range(10)]
    plain = np.mean([value.distances[-1] for value in values])
    assert abs(np.mean([value.distance for value in values])) < plain / 5
    assert min(value.slope for value in values) > 0


def test_invalid_arguments_raise():
    a = normal(0, 50, 4)
    for settings in ({"num_points": 1}, {"smallest": 1}, {"smallest": 45}, {"num_points": 60}):
        with pytest.raises(ValueError, match="sizes from"):
            extrapolated_frechet_distance(a, a, **settings)
    with pytest.raises(ValueError, match="sizes from 40"):
        extrapolated_frechet_distance(normal(0, 50, 20), normal(1, 50, 20))
    with pytest.raises(ValueError, match="features"):
        extrapolated_frechet_distance(a, a[:, :2])
