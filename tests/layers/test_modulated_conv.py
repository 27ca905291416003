"""The layers of StyleGAN2's generator against numpy."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers.kernel_norms import equalised, in_bfloat16, weight_norm
from gan_jax.layers.modulated_conv import ModulatedConv, PixelNoise, ScaledDense, fixed_noise

RNG = np.random.default_rng(0)
NORMAL = nn.initializers.normal(1.0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def variables_of(module, *inputs):
    """Parameters N(0, 1), biases too."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *inputs, train=True))
    return jax.tree.map(lambda leaf: normal(*leaf.shape), shapes)


def one_example(x, kernel, style, demodulate):
    """Equations 1 to 3 for one image x [H, W, C]: a kernel of its own, then a convolution pixel by pixel."""
    height, width, _ = x.shape
    kernel = kernel * style[None, None, :, None]
    if demodulate:
        for j in range(kernel.shape[-1]):
            kernel[..., j] /= np.sqrt(np.sum(kernel[..., j] ** 2) + 1e-8)
    side = kernel.shape[0] // 2
    padded = np.pad(x, ((side, side), (side, side), (0, 0)))
    y = np.zeros((height, width, kernel.shape[-1]))
    for row, column in np.ndindex(height, width):
        window = padded[row : row + kernel.shape[0], column : column + kernel.shape[1]]
        y[row, column] = np.einsum("abc,abcj->j", window, kernel)
    return y


@pytest.mark.parametrize(("size", "demodulate"), [(3, True), (3, False), (1, True), (1, False)])
@pytest.mark.parametrize("scale", [1.0, 1 / np.sqrt(5)])
def test_a_modulated_convolution_equals_the_equations(size, demodulate, scale):
    """scale: of equalised kernels, 1 / sqrt(inputs)."""
    norms = {"kernel_norm": equalised, "style_kernel_norm": equalised} if scale != 1 else {}
    module, x, w = ModulatedConv(4, size, demodulate, **norms), normal(3, 5, 6, 2), normal(3, 5)
    variables = variables_of(module, x, w)
    p = variables["params"]
    style = 1 + scale * (w @ p["Style"]["kernel"]) + p["Style"]["bias"]
    kernel = p["kernel"] / (np.sqrt(2 * size**2) if scale != 1 else 1)
    expected = np.stack([one_example(x[i], kernel.astype(np.float64), style[i], demodulate) for i in range(3)])
    y = jax.jit(lambda x, w: module.apply(variables, x, w, train=True))(x, w)
    np.testing.assert_allclose(y, expected + p["bias"], rtol=1e-4, atol=1e-4)


def test_demodulated_outputs_have_variance_one_whatever_the_style_and_the_kernel():
    module, x, w = ModulatedConv(6, 3), normal(2, 32, 32, 8), 3 * normal(2, 5)
    variables = variables_of(module, x, w)
    variables["params"]["bias"] *= 0
    variables["params"]["kernel"] *= 7
    y = module.apply(variables, x, w, train=True)
    np.testing.assert_allclose(np.std(y, axis=(1, 2)), 1, atol=0.15)


def test_other_kernel_norms_change_the_kernel_before_its_demodulation():
    """Lengths of kernels do not matter then, so weight norm changes nothing; the factors are those of bfloat16."""
    x, w = normal(2, 4, 4, 3), normal(2, 5)
    variables = variables_of(ModulatedConv(4), x, w)
    p = variables["params"] | {"bias": np.zeros(4, np.float32)}
    plain = ModulatedConv(4).apply({"params": p}, x, w, train=True)
    normed = ModulatedConv(4, kernel_norm=functools.partial(weight_norm, unit=True))
    y = normed.apply({"params": p | {"scale": np.ones(4, np.float32)}}, x, w, train=True)
    np.testing.assert_allclose(y, plain, rtol=1e-4, atol=1e-4)
    y = ModulatedConv(4, kernel_norm=in_bfloat16(equalised)).apply({"params": p}, x, w, train=True)
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, plain, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_a_scaled_layer_equals_numpy_and_trains_slowly(rate):
    """It starts like any other layer; a step of one size of every parameter changes it by `rate` times as much."""
    module, x = ScaledDense(400, rate, NORMAL, equalised), normal(3, 50)
    params = module.init(jax.random.key(0), x, train=True)["params"]
    assert float(jnp.std(params["kernel"])) == pytest.approx(1 / rate, rel=0.02)
    start = module.apply({"params": params}, x, train=True)
    assert float(jnp.std(start)) == pytest.approx(np.sqrt(np.mean(x**2)), rel=0.1)
    params = {"kernel": params["kernel"], "bias": normal(400)}
    expected = x @ (rate * np.asarray(params["kernel"])) / np.sqrt(50) + rate * params["bias"]
    y = module.apply({"params": params}, x, train=True)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    after = module.apply({"params": jax.tree.map(lambda leaf: leaf + 0.5, params)}, x, train=True)
    change = rate * 0.5 * (x.sum(axis=1, keepdims=True) / np.sqrt(50) + 1)
    np.testing.assert_allclose(after - y, np.broadcast_to(change, y.shape), rtol=1e-2, atol=1e-4)


def test_noise_is_one_number_a_pixel_and_new_for_every_image():
    module, x = PixelNoise(3), normal(4, 24, 24, 2)
    variables = {"params": {"strength": np.float32(0.5)}}
    add = jax.jit(lambda key: module.apply(variables, x, train=True, rngs={"dropout": key}))
    noise = (add(jax.random.key(0)) - x) / 0.5
    np.testing.assert_allclose(noise[..., 0], noise[..., 1], atol=1e-5)
    assert float(jnp.mean(noise)) == pytest.approx(0, abs=0.1)
    assert float(jnp.std(noise)) == pytest.approx(1, abs=0.1)
    assert abs(np.corrcoef(noise[..., 0].reshape(4, -1)) - np.eye(4)).max() < 0.2
    assert np.abs(add(jax.random.key(1)) - add(jax.random.key(0))).max() > 1


def test_noise_in_inference_is_fixed_and_at_the_start_there_is_none():
    module, x = PixelNoise(3), normal(4, 8, 6, 2)
    y = module.apply({"params": {"strength": np.float32(0.5)}}, x, train=False)
    np.testing.assert_allclose(y, x + 0.5 * fixed_noise(3, 8, 6), rtol=1e-5, atol=1e-6)
    assert np.abs(fixed_noise(3, 8, 6) - fixed_noise(4, 8, 6)).max() > 1
    start = module.init(jax.random.key(0), x, train=True)
    np.testing.assert_array_equal(module.apply(start, x, train=True, rngs={"dropout": jax.random.key(0)}), x)
