"""Dropout and Gaussian noise: rates, moments and fading; the normal quantiles against scipy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats as scipy_stats

from gan_jax.layers import noise
from gan_jax.layers.noise import Dropout, GaussianNoise

BIG = np.ones((64, 8, 8, 32), np.float32)


@functools.partial(jax.jit, static_argnums=0)
def noisy(module, x, seed=0, variables=None):
    rngs = {"dropout": jax.random.key(seed)}
    return module.apply(variables or {}, x, True, rngs=rngs, mutable=["noise"])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
def test_dropout_has_its_rate_and_scales_the_other_entries(rate):
    y = np.asarray(noisy(Dropout(rate), 3 * BIG)[0])
    np.testing.assert_allclose(y[y != 0], 3 / (1 - rate), rtol=1e-6)
    # The standard error of the share is at most 0.5 / sqrt(131072) = 0.0014.
    assert np.mean(y == 0) == pytest.approx(rate, abs=0.006)
    # Entries are dropped independently: neighbours are uncorrelated along every axis.
    for axis in range(4):
        equal_neighbours = np.mean((y == 0) == (np.roll(y, 1, axis) == 0))
        assert equal_neighbours == pytest.approx(rate**2 + (1 - rate) ** 2, abs=0.01)
    assert not np.array_equal(y, noisy(Dropout(rate), 3 * BIG, seed=1)[0])


def test_channel_dropout_drops_channels_of_images_and_entries_of_vectors():
    dropped = np.asarray(noisy(Dropout(0.3, channels=True), BIG)[0]) == 0
    np.testing.assert_array_equal(dropped, np.broadcast_to(dropped[:, :1, :1], BIG.shape))
    assert dropped[:, 0, 0].mean() == pytest.approx(0.3, abs=0.05)
    assert dropped[:, 0, 0].mean(axis=0).min() > 0.1  # Different channels in different images.
    assert dropped[:, 0, 0].mean(axis=0).max() < 0.6
    vectors = np.asarray(noisy(Dropout(0.3, channels=True), BIG[:, 0, 0])[0]) == 0
    assert vectors.mean() == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("make", [Dropout, GaussianNoise])
def test_noise_is_absent_at_0_and_in_inference(make):
    """Without noise, no random numbers are drawn: apply gets no key."""
    assert make(0.0).apply({}, BIG, True) is BIG
    assert make(0.7).apply({}, BIG, False) is BIG
    assert not np.array_equal(noisy(make(0.7), BIG)[0], BIG)


def test_gaussian_noise_has_its_moments_and_fades_linearly():
    module, stats = GaussianNoise(0.5, fade_updates=4), {"noise": {"count": jnp.zeros((), jnp.int32)}}
    for update, stddev in enumerate([0.5, 0.375, 0.25, 0.125, 0.0, 0.0]):
        y, stats = noisy(module, BIG, seed=update, variables=stats)
        noise = np.asarray(y - BIG)
        assert noise.std() == pytest.approx(stddev, rel=0.01)
        assert noise.mean() == pytest.approx(0, abs=0.01)
        assert int(stats["noise"]["count"]) == update + 1
        if stddev:  # A normal variable is within one standard deviation in 68.3 % of the draws, within two in 95.4 %.
            within = [np.mean(np.abs(noise) < k * stddev) for k in (1, 2)]
            np.testing.assert_allclose(within, [0.6827, 0.9545], atol=0.006)
    y, stats = noisy(GaussianNoise(0.5), BIG)
    assert stats == {}
    assert np.asarray(y).std() == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("quantile", [noise.quantile, noise.quantile_from_table])
def test_quantiles_equal_scipy(quantile):
    expected = scipy_stats.norm.ppf((np.arange(65536) + 0.5) / 65536)
    bits = np.arange(65536, dtype=np.uint16)
    np.testing.assert_allclose(jax.jit(quantile)(bits), expected, atol=2e-6)
    assert expected[-1] < 4.33
    assert expected.var() == pytest.approx(0.99998, abs=5e-6)


def test_standard_normals_are_independent_and_normal():
    normals = np.asarray(jax.jit(noise.standard_normal, static_argnums=1)(jax.random.key(3), (301, 333)))
    assert normals.dtype == np.float32
    assert scipy_stats.kstest(normals.ravel(), "norm").pvalue > 1e-3
    for axis in range(2):  # The standard error of a correlation of 100,000 pairs is 0.003.
        assert np.mean(normals * np.roll(normals, 1, axis)) == pytest.approx(0, abs=0.015)
    assert not np.array_equal(normals, noise.standard_normal(jax.random.key(4), (301, 333)))
