"""The matmul convolutions equal XLA's convolutions, in value and in every gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.devices import compiler
from gan_jax.layers import conv, matmul_conv
from gan_jax.layers.patches import overlap_add, patches
from tests.layers.convolutions import FORMS, SHAPES, assert_equal_in_value_and_gradients


@pytest.mark.parametrize("channels", [(3, 5), pytest.param((5, 3), marks=pytest.mark.thorough)])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("kernel", "stride", "height", "width"), SHAPES)
def test_equals_native_in_value_and_gradients(form, kernel, stride, height, width, channels):
    assert_equal_in_value_and_gradients(*FORMS[form], kernel, stride, height, width, channels)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_windows_that_do_not_overlap_equal_native(side):
    assert "dot_general" in str(
        jax.make_jaxpr(lambda x, w: conv.conv(x, w, side))(*map(jnp.ones, ((2, 7, 8, 3), (side, side, 3, 5))))
    )
    assert_equal_in_value_and_gradients(conv.conv, conv.native_conv, side, side, 7, 8, (3, 5))


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("form", FORMS)
def test_bfloat16_factors_are_summed_in_float32(form, stride):
    """Equals the native convolution of the rounded factors in float32. Only the gradients are rounded once more."""
    convolve, native = {"conv": conv.conv, "conv_transpose": conv.conv_transpose}[form], FORMS[form][1]
    x_key, w_key, y_key = jax.random.split(jax.random.key(stride), 3)
    x = jax.random.normal(x_key, (3, 7, 8, 40)).astype(jnp.bfloat16)
    w = jax.random.normal(w_key, (4, 4, 40, 5)).astype(jnp.bfloat16)
    dy = jax.random.normal(y_key, jax.eval_shape(lambda x, w: native(x, w, stride), x, w).shape)
    dy = dy.astype(jnp.bfloat16).astype(jnp.float32)

    def value_and_gradients(function, x, w):
        value, vjp = jax.vjp(lambda x, w: function(x, w, stride), x, w)
        return (value, *vjp(dy))

    actual = compiler.jit(value_and_gradients, static_argnums=0)(convolve, x, w)
    expected = value_and_gradients(native, x.astype(jnp.float32), w.astype(jnp.float32))
    assert [a.dtype for a in actual] == [jnp.float32, jnp.bfloat16, jnp.bfloat16]
    np.testing.assert_allclose(actual[0], expected[0], rtol=1e-4, atol=1e-3)
    for a, b in zip(actual[1:], expected[1:], strict=True):
        np.testing.assert_allclose(a.astype(jnp.float32), b, rtol=2**-8, atol=1e-3)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch", [6, 5])
def test_in_chunks_equals_all_at_once(form, batch, monkeypatch):
    """In chunks of several images (batch 6) or of one image (batch 5): the same value and gradients."""
    function, _ = FORMS[form]
    x, w = jax.random.normal(jax.random.key(0), (batch, 6, 6, 3)), jax.random.normal(jax.random.key(1), (4, 4, 3, 5))

    def value_and_gradients():
        return jax.value_and_grad(lambda x, w: jnp.sum(jnp.tanh(function(x, w, 2))), (0, 1))(x, w)

    expected = value_and_gradients()
    monkeypatch.setattr(matmul_conv, "_CHUNK_BYTES", 2 * 4 * 6 * 6 * 48)
    assert matmul_conv._num_chunks((batch, 6, 6, 5), w) == {6: 3, 5: 5}[batch]
    for a, b in zip(jax.tree.leaves(value_and_gradients()), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 1)])
@pytest.mark.parametrize("form", FORMS)
def test_second_order_gradient_equals_native(form, kernel, stride):
    """Gradient penalties differentiate the input gradient once more."""
    matmul_form, native = FORMS[form]
    x = jax.random.normal(jax.random.key(0), (2, 6, 6, 3))
    w = jax.random.normal(jax.random.key(1), (kernel, kernel, 3, 5))

    def penalty(function):
        return lambda w: jnp.sum(jax.grad(lambda x: jnp.sum(jnp.tanh(function(x, w, stride))))(x) ** 2)

    np.testing.assert_allclose(jax.grad(penalty(matmul_form))(w), jax.grad(penalty(native))(w), rtol=1e-3, atol=1e-3)


def test_overlap_add_is_the_transpose_of_patches():
    """<P(x), p> = <x, P^T(p)>, for kernels that the stride does not divide."""
    x = jax.random.normal(jax.random.key(0), (2, 7, 5, 3))
    for kernel, stride in (((3, 3), 2), ((4, 2), 2), ((1, 1), 2), ((5, 3), 3)):
        rows = patches(x, kernel, stride)
        p = jax.random.normal(jax.random.key(1), rows.shape)
        np.testing.assert_allclose(jnp.vdot(rows, p), jnp.vdot(x, overlap_add(p, x.shape, kernel, stride)), rtol=1e-4)


@pytest.mark.parametrize(("groups", "stride"), [(1, 1), (2, 1), (4, 2)])
def test_grouped_convolutions_equal_native(groups, stride):
    x_key, w_key = jax.random.split(jax.random.key(groups))
    x = jax.random.normal(x_key, (2, 6, 8, 8))
    w = jax.random.normal(w_key, (3, 3, 8 // groups, 12))

    def value_and_gradients(function):
        loss = lambda x, w: jnp.sum(jnp.sin(function(x, w, stride, groups)))  # noqa: E731
        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(x, w)

    pairs = zip(*map(jax.tree.leaves, map(value_and_gradients, (conv.grouped_conv, conv.native_conv))), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
