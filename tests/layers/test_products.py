"""Products of bfloat16 factors, of every form, in value and gradient, against numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.devices import compiler
from gan_jax.layers.products import half_product

FORMS = {"a b": lambda a, b: a @ b, "a b^T": lambda a, b: a @ b.T, "a^T b": lambda a, b: a.T @ b}
GRADIENTS = {
    "a b": lambda a, b, g: (g @ b.T, a.T @ g),
    "a b^T": lambda a, b, g: (g @ b, g.T @ a),
    "a^T b": lambda a, b, g: (b @ g.T, a @ g),
}
SHAPES = [(5, 300, 40), (2, 1, 3), (33, 64, 1)]


def rounded(x):
    return np.asarray(jnp.asarray(x).astype(jnp.bfloat16).astype(jnp.float32))


@functools.cache
def factors(form, shape):
    """(a, b, g): two factors and a cotangent of their [N, M] product over K."""
    (n, k, m), rng = shape, np.random.default_rng(0)
    a = (k, n) if form == "a^T b" else (n, k)
    b = (m, k) if form == "a b^T" else (k, m)
    return [rng.normal(size=size).astype(np.float32) for size in (a, b, (n, m))]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS)
def test_values_and_gradients_are_of_rounded_factors(form, shape):
    a, b, g = factors(form, shape)
    gradients = compiler.jit(lambda a, b, g: jax.vjp(lambda a, b: half_product(a, b, form), a, b)[1](g))
    value = compiler.jit(lambda a, b: half_product(a, b, form))(a, b)
    da, db = gradients(a, b, g)
    assert value.dtype == da.dtype == db.dtype == jnp.float32
    p, q, r = rounded(a), rounded(b), rounded(g)
    expected = GRADIENTS[form](p, q, r)
    np.testing.assert_allclose(value, FORMS[form](p, q), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(da, expected[0], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(db, expected[1], rtol=1e-5, atol=1e-4)
    if shape[1] > 100:
        assert np.abs(value - FORMS[form](a, b)).max() > 1e-3, "the factors were rounded"


@pytest.mark.parametrize("form", FORMS)
def test_gradient_of_a_gradient_under_vmap(form):
    a, b, _ = factors(form, SHAPES[0])

    def penalty(product):
        inner = jax.grad(lambda a: jnp.sum(jnp.tanh(product(a / 10, b))))
        return jax.grad(lambda a: jnp.sum(inner(a) ** 2))

    half = penalty(lambda a, b: half_product(a, b, form))
    expected = penalty(FORMS[form])(a)
    actual = compiler.jit(jax.vmap(half))(np.stack([a, -a]))
    np.testing.assert_allclose(actual[0], expected, atol=0.03 * np.abs(expected).max())
    np.testing.assert_allclose(actual[1], -expected, atol=0.03 * np.abs(expected).max())


@pytest.mark.parametrize("form", FORMS)
def test_a_transpose_of_the_product_compiles(form):
    """XLA folds a transpose into a product that it does not see as opaque; its CPU backend then refuses the result."""
    a, b, _ = factors(form, SHAPES[0])
    transposed = compiler.jit(lambda a, b: half_product(a.T.T, b, form).T)(a, b)
    np.testing.assert_allclose(transposed, FORMS[form](rounded(a), rounded(b)).T, rtol=1e-5, atol=1e-4)
