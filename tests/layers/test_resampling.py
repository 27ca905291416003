"""Doubling and halving images against numpy; their hand-written gradients against automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers.resampling import halve, upsample


def _repeat(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def _means(x):
    b, h, w, c = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


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
