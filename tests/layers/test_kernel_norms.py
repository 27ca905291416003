"""Spectral and weight norm of every kind of layer: against the singular values, the papers' formulas and PyTorch."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers import kernel_norms
from gan_jax.layers.conditioning import LabelEmbedding
from gan_jax.layers.conv import Conv, native_conv, native_conv_transpose
from tests import golden

RNG = np.random.default_rng(0)


class Layer(NamedTuple):
    """A layer of 5 outputs: (kernel norm) -> module, its input, and its linear map without the layers of gan_jax."""

    make: Callable
    x: np.ndarray
    apply: Callable
    # The kernel in PyTorch's layout, and the dimension of its outputs in that layout.
    layout: Callable
    dim: int


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


LAYERS = {
    "dense": Layer(
        lambda kernel_norm: kernel_norms.Dense(5, kernel_norm=kernel_norm),
        normal(16, 7),
        lambda x, w: x @ w,
        lambda w: w.T,
        0,
    ),
    "conv": Layer(
        lambda kernel_norm: Conv(5, 3, kernel_norm=kernel_norm),
        normal(4, 6, 6, 4),
        lambda x, w: native_conv(x, w, 1),
        lambda w: w.transpose(3, 2, 0, 1),
        0,
    ),
    "transposed": Layer(
        lambda kernel_norm: Conv(5, 4, 2, transposed=True, kernel_norm=kernel_norm),
        normal(4, 3, 3, 4),
        lambda x, w: native_conv_transpose(x, w, 2),
        # PyTorch's transposed convolution is the adjoint of a convolution: its kernel is flipped.
        lambda w: w[::-1, ::-1].transpose(2, 3, 0, 1),
        1,
    ),
    "embedding": Layer(
        lambda kernel_norm: LabelEmbedding(6, 5, kernel_norm=kernel_norm),
        np.arange(12) % 6,
        lambda x, w: w[x],
        lambda w: w,
        1,
    ),
}


def torch_module(torch, name):
    return {
        "dense": lambda: torch.nn.Linear(7, 5),
        "conv": lambda: torch.nn.Conv2d(4, 5, 3, padding=1),
        "transposed": lambda: torch.nn.ConvTranspose2d(4, 5, 4, 2, padding=1),
        "embedding": lambda: torch.nn.Embedding(6, 5),
    }[name]()


def start(layer, weight):
    """(module, variables) with entries N(0, 1) everywhere, biases too."""
    module, rng = layer.make(weight), np.random.default_rng(1)
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), layer.x, train=True))
    return module, jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes)


def kernel_of(params):
    return np.asarray(params["kernel"] if "kernel" in params else params["embedding"])


def expected_output(layer, params, kernel):
    return np.asarray(layer.apply(layer.x, kernel.astype(np.float32))) + params.get("bias", np.zeros(5, np.float32))


def train_call(module):
    return jax.jit(lambda v, x: module.apply(v, x, train=True, mutable=["spectral"]))


@pytest.mark.parametrize(("name", "bound"), [*((name, 1.0) for name in LAYERS), ("dense", 3.0), ("transposed", 3.0)])
def test_the_largest_singular_value_becomes_the_bound(name, bound):
    layer = LAYERS[name]
    module, variables = start(layer, functools.partial(kernel_norms.spectral, bound=bound))
    call = train_call(module)
    for _ in range(200):
        y, stats = call(variables, layer.x)
        variables = {**variables, **stats}
    kernel = kernel_of(variables["params"])
    u, s, _ = np.linalg.svd(kernel.reshape(-1, 5).T.astype(np.float64))
    expected = expected_output(layer, variables["params"], kernel * bound / s[0])
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    assert abs(u[:, 0] @ variables["spectral"]["u"]) == pytest.approx(1, abs=1e-4)
    # An EMA of unit vectors u has a norm below 1. Inference must not depend on the norm of u.
    shorter = {**variables, "spectral": {"u": 0.3 * variables["spectral"]["u"]}}
    np.testing.assert_allclose(module.apply(shorter, layer.x, train=False), expected, rtol=1e-4, atol=1e-4)


def test_a_trained_bound_is_the_largest_singular_value():
    """It starts at `bound` and is one number for a kernel, whose value the output has as its factor."""
    layer = LAYERS["dense"]
    module, variables = start(layer, functools.partial(kernel_norms.spectral, bound=3.0, scaled=True, iterations=50))
    params = variables["params"]
    assert float(module.init(jax.random.key(0), layer.x, train=True)["params"]["scale"]) == 3
    call = train_call(module)
    y, _ = call(variables, layer.x)
    _, s, _ = np.linalg.svd(kernel_of(params).reshape(-1, 5).T.astype(np.float64))
    expected = expected_output(layer, params, kernel_of(params) * params["scale"] / s[0])
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)
    half = {**variables, "params": params | {"scale": params["scale"] / 2}}
    bias = params["bias"][None]
    np.testing.assert_allclose(call(half, layer.x)[0] - bias, (y - bias) / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "inputs"), [("dense", 7), ("conv", 36), ("transposed", 64), ("embedding", 1)])
def test_an_equalised_kernel_is_divided_by_the_root_of_its_inputs(name, inputs):
    layer = LAYERS[name]
    module, variables = start(layer, kernel_norms.equalised)
    kernel = kernel_of(variables["params"])
    expected = expected_output(layer, variables["params"], kernel / np.sqrt(inputs))
    y, stats = train_call(module)(variables, layer.x)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    assert not stats


def iterate(kernel, u, times):
    """Algorithm 1 in float64: (u, v) after this number of power iterations."""
    matrix, u = kernel.reshape(-1, kernel.shape[-1]).T.astype(np.float64), np.asarray(u, np.float64)
    for _ in range(times):
        v = matrix.T @ u / np.linalg.norm(matrix.T @ u)
        u = matrix @ v / np.linalg.norm(matrix @ v)
    return u, v


@pytest.mark.parametrize(("name", "iterations"), [("dense", 1), ("conv", 3), ("embedding", 2)])
def test_a_call_advances_u_by_its_iterations_if_u_is_mutable(name, iterations):
    layer = LAYERS[name]
    module, variables = start(layer, functools.partial(kernel_norms.spectral, iterations=iterations))
    assert set(variables) == {"params", "spectral"}
    assert jax.tree.map(jnp.shape, variables["spectral"]) == {"u": (5,)}
    u, v = iterate(kernel_of(variables["params"]), variables["spectral"]["u"], iterations)
    y, stats = train_call(module)(variables, layer.x)
    np.testing.assert_allclose(stats["spectral"]["u"], u, rtol=1e-4, atol=1e-5)
    # The new u and v give the weight of the same call: sigma = u^T W v.
    kernel = kernel_of(variables["params"])
    sigma = u @ kernel.reshape(-1, 5).T @ v
    expected = expected_output(layer, variables["params"], kernel / sigma)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    # Inference gives the same output and never changes u. Training does not change u if it is not mutable.
    y, stats = module.apply(variables, layer.x, train=False, mutable=["spectral"])
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(stats["spectral"]["u"], variables["spectral"]["u"])
    np.testing.assert_allclose(module.apply(variables, layer.x, train=True), expected, rtol=1e-4, atol=1e-4)


def test_spectral_gradient_is_the_formula_with_u_and_v_fixed():
    """dL/dW = (G - <G, W'> u v^T) / sigma, W' = W / sigma, G = dL/dW' (section 2.2, eq. 10), before convergence too."""
    layer, dy = LAYERS["dense"], normal(16, 5)
    module, variables = start(layer, kernel_norms.spectral)
    kernel = variables["params"]["kernel"].astype(np.float64)
    u, v = iterate(kernel, variables["spectral"]["u"], 1)
    sigma, gradient = u @ kernel.T @ v, layer.x.T.astype(np.float64) @ dy
    expected = (gradient - np.sum(gradient * kernel) / sigma * np.outer(v, u)) / sigma
    loss = lambda p: jnp.sum(dy * module.apply({**variables, "params": p}, layer.x, train=True))  # noqa: E731
    np.testing.assert_allclose(jax.grad(loss)(variables["params"])["kernel"], expected, rtol=1e-3, atol=1e-4)


def value_and_gradients(layer, module, variables, dy):
    stats = {key: leaf for key, leaf in variables.items() if key != "params"}
    apply = lambda p: module.apply({"params": p, **stats}, layer.x, train=True)  # noqa: E731

    @jax.jit
    def run(params):
        y, vjp = jax.vjp(apply, params)
        return y, vjp(dy)[0]

    return run(variables["params"])


@pytest.mark.parametrize("kind", ["spectral", "weight"])
@pytest.mark.parametrize("name", LAYERS)
def test_value_and_gradient_equal_torch(name, kind):
    layer = LAYERS[name]
    module, variables = start(layer, kernel_norms.KERNEL_NORMS[kind])
    params = variables["params"]
    if kind == "spectral":  # u as after convergence, as PyTorch has it after 500 power iterations.
        u = np.linalg.svd(kernel_of(params).reshape(-1, 5).T)[0][:, 0]
        variables = {**variables, "spectral": {"u": u}}
    shape = jax.eval_shape(lambda: module.apply(variables, layer.x, train=True)).shape
    dy = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    compute = functools.partial(torch_value_and_gradients, name=name, kind=kind, params=params, dy=dy)
    expected = golden.numbers("torch", "kernel_norms", f"{name}-{kind}", compute, rtol=1e-3, atol=1e-4)
    y, gradient = value_and_gradients(layer, module, variables, dy)
    scales = [gradient["scale"]] if kind == "weight" else []
    for a, b in zip((y, layer.layout(kernel_of(gradient)), *scales), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def torch_value_and_gradients(torch, name, kind, params, dy):
    """The output, and the gradients by the kernel and, of weight norm, the scale."""
    layer, module = LAYERS[name], torch_module(torch, name)
    if "bias" in params:
        module.bias.data = torch.tensor(params["bias"])
    kernel = torch.tensor(layer.layout(kernel_of(params)).copy())
    module.weight.data = kernel.clone()
    parametrizations = torch.nn.utils.parametrizations
    if kind == "spectral":
        parametrizations.spectral_norm(module, n_power_iterations=500, dim=layer.dim)
        # In inference mode, PyTorch does not change u and v.
        module.eval()
        weights = module.parametrizations.weight
        torch_kernel, scales = weights.original, []
    else:
        parametrizations.weight_norm(module, dim=layer.dim)
        weights = module.parametrizations.weight
        torch_kernel, scales = weights.original1, [weights.original0]
        weights.original0.data = torch.tensor(params["scale"]).reshape(weights.original0.shape)
    np.testing.assert_allclose(torch_kernel.detach(), kernel, rtol=1e-6)
    x = torch.tensor(layer.x)
    y = module(x.movedim(-1, 1)).movedim(1, -1) if x.ndim == 4 else module(x)
    y.backward(torch.tensor(dy))
    return y.detach(), torch_kernel.grad, *(scale.grad.ravel() for scale in scales)


@pytest.mark.parametrize("name", LAYERS)
def test_weight_norm_scales_each_output(name):
    layer = LAYERS[name]
    module, variables = start(layer, kernel_norms.weight_norm)
    params = variables["params"]
    kernel = kernel_of(params).copy()
    for output in range(5):
        kernel[..., output] *= params["scale"][output] / np.sqrt(np.sum(kernel[..., output] ** 2))
    expected = expected_output(layer, params, kernel)
    np.testing.assert_allclose(module.apply(variables, layer.x, train=True), expected, rtol=1e-4, atol=1e-4)


class Net(nn.Module):
    """Two layers. Returns the output of each before the activation."""

    @nn.compact
    def __call__(self, x):
        first = Conv(6, 3, 2, kernel_norm=kernel_norms.weight_norm)(x, True)
        return first, kernel_norms.Dense(4, kernel_norm=kernel_norms.weight_norm)(
            nn.relu(first).reshape(len(x), -1), True
        )


def test_weight_norm_starts_every_layer_at_mean_0_and_variance_1():
    x = 5 + 3 * normal(32, 6, 6, 2)
    for y in jax.jit(lambda: Net().init_with_output(jax.random.key(0), x)[0])():
        flat = np.asarray(y).reshape(-1, y.shape[-1])
        np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(flat.var(axis=0), 1, rtol=1e-3)


def test_unit_scales_start_at_1_for_any_data():
    layer, x = kernel_norms.Dense(5, kernel_norm=kernel_norms.KERNEL_NORMS["weight_unit"]), normal(16, 7)
    params = layer.init(jax.random.key(0), x, True)
    np.testing.assert_array_equal(params["params"]["scale"], np.ones(5))
    np.testing.assert_array_equal(params["params"]["bias"], np.zeros(5))
    kernel = np.asarray(params["params"]["kernel"], np.float64)
    np.testing.assert_allclose(layer.apply(params, x, True), x @ (kernel / np.linalg.norm(kernel, axis=0)), rtol=1e-4)
    assert jax.grad(lambda p: jnp.sum(layer.apply(p, x, True) ** 3))(params)["params"]["scale"].all()


def test_fixed_scales_have_no_gradient_and_change_nothing_else():
    x = normal(16, 7)
    fixed = functools.partial(kernel_norms.weight_norm, fixed=True)
    layers = [kernel_norms.Dense(5, kernel_norm=kernel_norm) for kernel_norm in (fixed, kernel_norms.weight_norm)]
    params = layers[0].init(jax.random.key(0), x, True)

    def gradient(layer):
        return jax.grad(lambda p: jnp.sum(layer.apply(p, x, True) ** 3))(params)["params"]

    with_fixed, with_learned = map(gradient, layers)
    np.testing.assert_array_equal(layers[0].apply(params, x, True), layers[1].apply(params, x, True))
    assert not with_fixed["scale"].any()
    assert with_learned["scale"].all()
    for name in ("kernel", "bias"):
        np.testing.assert_array_equal(with_fixed[name], with_learned[name])
