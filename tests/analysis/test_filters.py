"""Guided backpropagation against NumPy, the other measures of filters, and the analysis of a small run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax import cli
from gan_jax.analysis import filters
from gan_jax.networks.build import build_discriminator
from tests.analysis.subjects import untrained_subject

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")


def network(*overrides):
    """(module, its variables, images [4, 6, 6, 1])."""
    config = cli.parse_config(
        "configs/dcgan.py",
        [f"--config.discriminator.{override}" for override in ("widths=8,16", "norm=none", *overrides)],
    )
    module = build_discriminator(config.discriminator, 3, 4)
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 1)).astype(np.uint8)
    labels = jnp.zeros(4, jnp.int32)
    keys = {"params": jax.random.key(1), "dropout": jax.random.key(2)}
    variables = jax.jit(lambda x: module.init(keys, x, labels, train=True))(filters.to_float(images))
    # Initial kernels are small and biases are 0. Larger ones give units of either sign.
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda p: rng.normal(0, 0.4, p.shape).astype(np.float32), variables["params"])
    return module, {**variables, "params": params}, images


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "prelu", "tanh"])
def test_guided_gradients_of_two_layers_equal_numpy(activation):
    module, variables, images = network("family=mlp", f"activation={activation}")
    layers = variables["params"]
    (w1, b1), (w2, b2) = ((layers[f"Dense_{i}"]["kernel"], layers[f"Dense_{i}"]["bias"]) for i in (0, 1))
    activate = {
        "relu": lambda x: np.maximum(x, 0),
        "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
        "prelu": lambda x: np.where(x > 0, x, x * layers["Finish_0"]["PReLU_0"]["slope"]),
        "tanh": np.tanh,
    }[activation]
    channels = np.array([0, 3, 7, 15])
    x = np.float32(images.reshape(4, -1)) / 127.5 - 1
    f1 = x @ w1 + b1
    f2 = activate(f1) @ w2 + b2
    above = np.eye(16)[channels] * (f2 > 0)
    below = above @ w2.T
    expected = ((f1 > 0) * (below > 0) * below) @ w1.T
    assert (f1 < 0).any()
    assert (below < 0).any()
    assert expected.any()
    actual = filters.guided_gradients(module, variables, images, channels, 3)
    np.testing.assert_allclose(actual.reshape(4, -1), expected, atol=1e-5)


def test_the_guided_gradient_is_the_gradient_if_all_is_positive():
    module, variables, images = network("activation=leaky_relu")
    channels = np.array([0, 3, 7, 15])
    variables = jax.tree.map(lambda p: np.abs(p) + np.float32(0.01), variables)
    bright = np.maximum(images, 200)

    def total_peak(x):
        return filters._peaks(module, variables, x, 3)[jnp.arange(4), channels].sum()

    gradient = jax.jit(jax.grad(total_peak))(filters.to_float(bright))
    guided = filters.guided_gradients(module, variables, bright, channels, 3)
    np.testing.assert_allclose(guided, gradient, rtol=1e-5)


@pytest.mark.parametrize(
    "overrides", [["activation=leaky_relu"], ["activation=prelu"], ["norm=virtual_batch"]], ids=str
)
def test_the_forward_pass_does_not_change(overrides):
    module, variables, images = network(*overrides)

    def logits(some_module):
        return lambda x: some_module.apply(variables, x, jnp.arange(4) % 3, train=False).logits

    x, guided = filters.to_float(images), filters.guided(module)
    # One activation of each hidden layer was replaced.
    num_custom_vjps = [
        str(jax.make_jaxpr(logits(some_module))(x)).count("custom_vjp_call") for some_module in (module, guided)
    ]
    assert num_custom_vjps[1] - num_custom_vjps[0] == 2
    assert np.array_equal(*jax.jit(lambda x: (logits(module)(x), logits(guided)(x)))(x))


def test_selectivity_by_hand():
    responses = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 1.0], [0.0, 2.0, 1.0], [0.0, 2.0, 1.0]])
    # Class means 1 and 0; 2 and 2; 2 and 1.
    np.testing.assert_allclose(filters.selectivity(responses, np.array([0, 0, 1, 1])), [1.0, 0.0, 1 / 3])


def test_share_of_a_gradient_on_ink():
    images = np.zeros((3, 2, 2, 1), np.uint8)
    images[:, 0] = 255
    gradients = np.zeros((3, 2, 2, 1), np.float32)
    gradients[0, :, 0, 0] = 3.0, -4.0
    gradients[1, 0, 0, 0] = -1.0
    assert filters.ink_share(gradients, images) == pytest.approx((9 / 25 + 1) / 2)  # The third image has no gradient.
    assert filters.ink_share(gradients[2:], images[2:]) is None


def test_shown_channels_are_of_different_images():
    top = np.array([[0, 1], [1, 2], [3, 4], [4, 5]])
    strength = np.array([4.0, 3.0, 1.0, 2.0])
    assert filters.spread(top, strength, 2) == [0, 3]
    assert filters.spread(top, strength, 4) == [0, 3, 1, 2]


def test_on_a_run_of_no_steps(config, tmp_path):
    numbers = filters.filters(untrained_subject(config), tmp_path)
    for measure, most in (("selectivity", 1), ("ink_share", 1), ("ink_area", 1), ("silent_channels", 7)):
        assert 0 <= numbers[f"{measure}_trained"] <= most
        assert numbers[f"{measure}_trained"] == numbers[f"{measure}_random"]
    assert numbers["channels_trained"] == 8
    assert numbers["num_test"] == 6
    assert Image.open(tmp_path / "filters.png").size[0] > 500
