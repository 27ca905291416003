"""Shapes, forms and a comparison for the tests of convolutions."""

import jax
import numpy as np

from gan_jax.layers import conv, matmul_conv

SHAPES = [(k, s, h, w) for k in (1, 2, 3, 4, 5) for s in (1, 2, 3) for h, w in ((7, 8),)] + [(3, 2, 5, 5), (4, 2, 6, 6)]
SHAPES += [
    (k, 1, 6, 8) for k in (1, 2, 3, 4, 5)
]  # even sides: with few output channels, 2 x 2 pixels are computed at a time
FORMS = {
    "conv": (matmul_conv.matmul_conv, conv.native_conv),
    "conv_transpose": (matmul_conv.matmul_conv_transpose, conv.native_conv_transpose),
}


def assert_equal_in_value_and_gradients(form, native, kernel, stride, height, width, channels):
    x_key, w_key, y_key = jax.random.split(jax.random.key(kernel * 10 + stride), 3)
    x = jax.random.normal(x_key, (2, height, width, channels[0]))
    w = jax.random.normal(w_key, (kernel, kernel, *channels))
    dy = jax.random.normal(y_key, jax.eval_shape(lambda x, w: native(x, w, stride), x, w).shape)

    def value_and_gradients(function):
        value, vjp = jax.vjp(lambda x, w: function(x, w, stride), x, w)
        return (value, *vjp(dy))

    run = jax.jit(value_and_gradients, static_argnums=0)
    for a, b in zip(run(form), run(native), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
