"""Activations, conditioning, PostLayer and initializers, against numpy and PyTorch."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers import post_layer
from gan_jax.layers.activations import WITH_SLOPE, make_activation
from gan_jax.layers.conditioning import CONDITIONINGS, LabelEmbedding, soft_one_hot
from gan_jax.layers.initializers import INITIALIZERS
from gan_jax.system.errors import UserError
from tests import golden

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(6, 4, 5, 3)).astype(np.float32)
VECTORS = IMAGES[:, 0, 0]
LABELS, CLASSES = np.array([0, 1, 3, 0, 3, 2]), 4

POINTS = [-4.0, -1.5, -0.25, 0.5, 2.0, 7.0]
SILU = [-0.0719448, -0.273638, -0.109456, 0.31123, 1.76159, 6.99362]
# torch 2.13.0 (CPU, float32): torch_functions(torch)[name](torch.tensor(POINTS)); all but mish.
GOLDEN = {
    "celu": [-0.981684, -0.77687, -0.221199, 0.5, 2, 7],
    "elu": [-0.981684, -0.77687, -0.221199, 0.5, 2, 7],
    "gelu": [-7.02143e-05, -0.100428, -0.100325, 0.345714, 1.9546, 7],
    "hard_sigmoid": [0, 0.25, 0.458333, 0.583333, 0.833333, 1],
    "hard_silu": [0, -0.375, -0.114583, 0.291667, 1.66667, 7],
    "hard_swish": [0, -0.375, -0.114583, 0.291667, 1.66667, 7],
    "hard_tanh": [-1, -1, -0.25, 0.5, 1, 1],
    "leaky_relu": [-0.8, -0.3, -0.05, 0.5, 2, 7],
    "log_sigmoid": [-4.01815, -1.70141, -0.825939, -0.474077, -0.126928, -0.000911466],
    "mish": [-0.0725917, -0.2981, -0.129927, 0.375245, 1.94396, 6.99999],  # x tanh(log(1 + e^x)), by numpy in float64
    "prelu": [-0.8, -0.3, -0.05, 0.5, 2, 7],
    "prelu_shared": [-0.8, -0.3, -0.05, 0.5, 2, 7],
    "relu": [0, 0, 0, 0.5, 2, 7],
    "relu6": [0, 0, 0, 0.5, 2, 6],
    "selu": [-1.7259, -1.36581, -0.38889, 0.525351, 2.1014, 7.35491],
    "sigmoid": [0.0179862, 0.182426, 0.437824, 0.622459, 0.880797, 0.999089],
    "silu": SILU,
    "soft_sign": [-0.8, -0.6, -0.2, 0.333333, 0.666667, 0.875],
    "softplus": [0.0181499, 0.201413, 0.575939, 0.974077, 2.12693, 7.00091],
    "swish": SILU,
    "tanh": [-0.999329, -0.905148, -0.244919, 0.462117, 0.964028, 0.999998],
}


def torch_functions(torch):
    f = torch.nn.functional
    return {
        **{name: getattr(f, name) for name in ("celu", "elu", "mish", "relu", "relu6", "selu", "silu", "softplus")},
        "gelu": functools.partial(f.gelu, approximate="tanh"),
        "hard_sigmoid": f.hardsigmoid,
        "hard_silu": f.hardswish,
        "hard_swish": f.hardswish,
        "hard_tanh": f.hardtanh,
        "leaky_relu": functools.partial(f.leaky_relu, negative_slope=0.2),
        "log_sigmoid": f.logsigmoid,
        "prelu": lambda x: f.prelu(x, torch.tensor([0.2])),
        "prelu_shared": lambda x: f.prelu(x, torch.tensor([0.2])),
        "sigmoid": torch.sigmoid,
        "soft_sign": f.softsign,
        "swish": f.silu,
        "tanh": torch.tanh,
    }


@pytest.mark.parametrize("name", GOLDEN)
def test_activations_equal_stored_torch(name):
    """A module with parameters: with their initial values."""
    activation, x = make_activation(name, 0.2, "activation")(), jnp.array(POINTS)[:, None]
    y = activation.init_with_output(jax.random.key(0), x)[0] if isinstance(activation, nn.Module) else activation(x)
    np.testing.assert_allclose(y[:, 0], GOLDEN[name], rtol=2e-5, atol=1e-6)


def test_every_activation_with_a_slope_is_checked():
    assert WITH_SLOPE.keys() <= GOLDEN.keys()


def test_any_elementwise_function_of_jax_nn_is_an_activation(monkeypatch):
    """Also a function that another version of JAX adds: no list of names has to be edited."""
    monkeypatch.setattr(jax.nn, "cube", lambda x: x**3, raising=False)
    np.testing.assert_allclose(make_activation("cube", 0.2, "activation")()(jnp.array([-2.0, 3.0])), [-8.0, 27.0])
    with pytest.raises(UserError, match=r"generator.activation='cubee' is unknown; did you mean .*\bcube\b"):
        make_activation("cubee", 0.2, "generator.activation")


@pytest.mark.parametrize("name", ["softmax", "standardize", "glu", "logsumexp", "one_hot", "initializers", "__name__"])
def test_a_function_that_mixes_entries_is_no_activation(name):
    with pytest.raises(UserError, match=f"activation='{name}' is unknown"):
        make_activation(name, 0.2, "activation")


def test_activations_equal_the_installed_torch():
    torch = pytest.importorskip("torch")
    functions = torch_functions(torch)
    assert functions.keys() <= GOLDEN.keys()
    for name, function in functions.items():
        np.testing.assert_allclose(GOLDEN[name], function(torch.tensor(POINTS)), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["prelu", "prelu_shared"])
def test_prelu_and_its_gradients(name):
    """y = max(x, 0) + a min(x, 0): by NumPy and by PyTorch."""
    module, shared = make_activation(name, 0.1, "activation")(), name == "prelu_shared"
    start = module.init(jax.random.key(0), IMAGES)["params"]["slope"]
    np.testing.assert_allclose(start, np.full(1 if shared else 3, 0.1), rtol=1e-6)
    slope = np.array([0.3] if shared else [0.3, -0.5, 2.0], np.float32)
    dy = np.random.default_rng(1).normal(size=IMAGES.shape).astype(np.float32)
    y, vjp = jax.vjp(lambda a, x: module.apply({"params": {"slope": a}}, x), slope, IMAGES)
    negative_part = np.minimum(IMAGES, 0)
    expected = (
        np.maximum(IMAGES, 0) + slope * negative_part,
        np.sum(dy * negative_part, axis=(0, 1, 2)),
        dy * (np.where(IMAGES > 0, 1, slope)),
    )
    for a, b in zip((y, *vjp(dy)), expected, strict=True):
        np.testing.assert_allclose(a, np.sum(b, keepdims=True) if a.shape == (1,) else b, rtol=1e-4, atol=1e-5)
    compute = functools.partial(torch_prelu, slope=slope, dy=dy)
    expected = golden.numbers("torch", "prelu", name, compute, rtol=1e-4, atol=1e-5)
    for a, b in zip((y, *vjp(dy)), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def torch_prelu(torch, slope, dy):
    """The output, and the gradients by the slope and the input."""
    x, weight = torch.tensor(IMAGES, requires_grad=True), torch.tensor(slope, requires_grad=True)
    y = torch.nn.functional.prelu(x.movedim(-1, 1), weight).movedim(1, -1)
    y.backward(torch.tensor(dy))
    return y.detach(), weight.grad, x.grad


def expected_condition(name, x, table, smoothing):
    rows = np.stack([np.full(CLASSES, smoothing / CLASSES) for _ in LABELS])
    for row, label in zip(rows, LABELS, strict=True):
        row[label] += 1 - smoothing
    if name == "one_hot":
        labels = rows if x.ndim == 2 else np.broadcast_to(rows[:, None, None], (*x.shape[:3], CLASSES))
        return np.concatenate([x, labels], axis=-1)
    labels = rows @ table
    if x.ndim == 4:  # A learned map per class.
        labels = labels.reshape(6, 4, 5, 1)
    return x * labels if name == "multiply" else np.concatenate([x, labels], axis=-1)


@pytest.mark.parametrize("x", [IMAGES, VECTORS], ids=["images", "vectors"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("name", CONDITIONINGS)
def test_conditioning_equals_numpy(name, smoothing, x):
    module = CONDITIONINGS[name](num_classes=CLASSES, features=7, smoothing=smoothing)
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), x, LABELS, train=True))
    sizes = [leaf.shape for leaf in jax.tree.leaves(variables)]
    appended = {"concat": 7, "multiply": 3}.get(name)
    assert sizes == ([(CLASSES, 20 if x.ndim == 4 else appended)] if appended else [])
    variables = jax.tree.map(lambda leaf: RNG.normal(size=leaf.shape).astype(np.float32), variables)
    y = module.apply(variables, x, LABELS, train=True)
    if name == "none":
        assert y is x
        return
    table = next(iter(jax.tree.leaves(variables)), None)
    np.testing.assert_allclose(y, expected_condition(name, x, table, smoothing), rtol=1e-5, atol=1e-6)


def test_label_embedding_starts_at_n_0_1_and_smoothing_keeps_the_sum():
    y, variables = LabelEmbedding(50, 200).init_with_output(jax.random.key(0), np.arange(50), train=True)
    np.testing.assert_array_equal(y, variables["params"]["embedding"])
    assert float(y.std()) == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(soft_one_hot(np.array([2]), 4, 0.4), [[0.1, 0.1, 0.7, 0.1]], rtol=1e-6)


class Probe(nn.Module):
    """Applies a function in training. The last argument is `train`."""

    function: callable

    def __call__(self, x, *arguments):
        return self.function(x) if arguments[-1] else x


@pytest.mark.parametrize(
    ("order", "expected"),
    [("norm_activation", lambda x: ((x + 1) * 2) ** 2), ("activation_norm", lambda x: (x * 2) ** 2 + 1)],
)
def test_order_of_norm_activation_dropout_and_noise(order, expected):
    parts = {"norm": lambda x: x + 1, "dropout": lambda x: x**2, "noise": lambda x: x - 3}
    parts = {name: functools.partial(Probe, function) for name, function in parts.items()}
    module = post_layer.PostLayer(norm_order=order, activation=lambda: lambda x: 2 * x, **parts)
    output, noisy = module.apply({}, IMAGES, LABELS, True)
    np.testing.assert_allclose(output, expected(IMAGES), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(noisy, expected(IMAGES) - 3, rtol=1e-4, atol=1e-5)
    for inference_output in module.apply({}, IMAGES, LABELS, False):
        np.testing.assert_allclose(inference_output, 2 * IMAGES, rtol=1e-6)


def test_norm_positions():
    assert {name: list(positions(3)) for name, positions in post_layer.NORM_POSITIONS.items()} == {
        "all": [0, 1, 2],
        "first": [0],
        "inner": [1, 2],
        "last": [2],
    }


# 3x3 kernels of 20 channels to 40: fan in 180, fan out 360.
STDDEVS = {
    "normal": 0.07,
    "torch_uniform": 180**-0.5 / 3**0.5,
    "glorot_uniform": (2 / 540) ** 0.5,
    "lecun_normal": 180**-0.5,
    "he_normal": (2 / 180) ** 0.5,
    "orthogonal": 180**-0.5,
}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers_have_their_stddev(name):
    w = np.asarray(INITIALIZERS[name](0.07)(jax.random.key(0), (3, 3, 20, 40)))
    assert w.std() == pytest.approx(STDDEVS[name], rel=0.03)
    assert w.mean() == pytest.approx(0, abs=0.05 * STDDEVS[name])
    if "uniform" in name:
        assert np.abs(w).max() == pytest.approx(STDDEVS[name] * 3**0.5, rel=1e-2)
    if name == "orthogonal":
        np.testing.assert_allclose(w.reshape(-1, 40).T @ w.reshape(-1, 40), np.eye(40), atol=1e-5)
