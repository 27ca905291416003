"""Doubling and halving images against numpy; their hand-written gradients against automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers.resampling import binomial_halve, binomial_upsample, halve, upsample


def _repeat(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def _means(x):
    b, h, w, c = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def _filtered(x, axis, taps):
    """The correlation with `taps` along an axis, with zeros outside."""
    return np.apply_along_axis(lambda row: np.correlate(row, taps, "valid"), axis, x)


def _binomial_means(x):
    for axis in (1, 2):
        x = np.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(4)])
        x = _filtered(x, axis, np.array([1, 3, 3, 1]) / 8)
        x = np.take(x, range(0, x.shape[axis], 2), axis)
    return x


def _binomial_repeat(x):
    """Zeros between the pixels, then the same filter with twice its weight on each axis."""
    for axis in (1, 2):
        shape = list(x.shape)
        shape[axis] *= 2
        spread = np.zeros(shape)
        spread[tuple(slice(None, None, 2) if i == axis else slice(None) for i in range(4))] = x
        spread = np.pad(spread, [(2, 1) if i == axis else (0, 0) for i in range(4)])
        x = _filtered(spread, axis, np.array([1, 3, 3, 1]) / 4)
    return x


@pytest.mark.parametrize("shape", [(2, 4, 6, 3), (1, 5, 7, 2), (3, 2, 2, 1)])
@pytest.mark.parametrize(
    ("resample", "reference"), [(binomial_halve, _binomial_means), (binomial_upsample, _binomial_repeat)]
)
def test_binomial_resampling_equals_a_filter_by_numpy(resample, reference, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(resample(x), reference(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 4, 6, 3), (1, 5, 7, 2), (3, 2, 2, 1)])
@pytest.mark.parametrize(("resample", "reference"), [(upsample, _repeat), (halve, _means)])
def test_value_and_both_orders_of_gradients(resample, reference, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(resample(x), reference(x), rtol=1e-6, atol=1e-6)

    def first(function):
        return jax.grad(lambda x: jnp.sum(jnp.tanh(function(x)) ** 2))

    def second(function):
        return jax.grad(lambda x: jnp.sum(first(function)(x) ** 2))

    for order in (first, second):
        np.testing.assert_allclose(order(resample)(x), order(reference)(jnp.array(x)), rtol=1e-5, atol=1e-6)
