"""Guided backpropagation against NumPy, what else is measured of filters, and the whole on a small run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax import build, build_networks, cli, train
from gan_jax.analysis import filters as room
from gan_jax.analysis.subject import Subject
from gan_jax.trained import load

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def network(*words):
    """(module, its variables, images [4, 6, 6, 1])."""
    config = cli.parse_config(
        "configs/dcgan.py", [f"--config.discriminator.{word}" for word in ("widths=8,16", "norm=none", *words)]
    )
    module = build_networks.discriminator(config.discriminator, 3, 4)
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 1)).astype(np.uint8)
    labels = jnp.zeros(4, jnp.int32)
    keys = {"params": jax.random.key(1), "dropout": jax.random.key(2)}
    variables = module.init(keys, room.to_float(images), labels, train=True)
    # Kernels of a start are small and biases 0: larger ones, so that units differ in sign.
    noise = np.random.default_rng(1)
    params = jax.tree.map(lambda p: noise.normal(0, 0.4, p.shape).astype(np.float32), variables["params"])
    return module, {**variables, "params": params}, images


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
def test_guided_gradients_of_two_layers_are_those_of_numpy(activation):
    module, variables, images = network("family=mlp", f"activation={activation}")
    layers = variables["params"]
    (w1, b1), (w2, b2) = ((layers[f"Dense_{i}"]["kernel"], layers[f"Dense_{i}"]["bias"]) for i in (0, 1))
    act = {
        "relu": lambda x: np.maximum(x, 0),
        "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
        "tanh": np.tanh,
    }[activation]
    channels = np.array([0, 3, 7, 15])
    x = np.float32(images.reshape(4, -1)) / 127.5 - 1
    f1 = x @ w1 + b1
    f2 = act(f1) @ w2 + b2
    above = np.eye(16)[channels] * (f2 > 0)
    below = above @ w2.T
    expected = ((f1 > 0) * (below > 0) * below) @ w1.T
    assert (f1 < 0).any()
    assert (below < 0).any()
    assert expected.any()
    found = room.guided_gradients(module, variables, images, channels, 3)
    np.testing.assert_allclose(found.reshape(4, -1), expected, atol=1e-5)


def _plain(module, variables, images, channels):
    def excitement(x):
        return room._peaks(module, variables, x, 3)[jnp.arange(len(x)), channels].sum()

    return jax.grad(excitement)(room.to_float(images))


def test_the_guided_gradient_is_the_gradient_where_all_is_positive_and_only_there():
    module, variables, images = network("activation=leaky_relu")
    channels = np.array([0, 3, 7, 15])
    guided = room.guided_gradients(module, variables, images, channels, 3)
    assert not np.allclose(guided, _plain(module, variables, images, channels), atol=1e-2)
    variables = jax.tree.map(lambda p: np.abs(p) + np.float32(0.01), variables)
    bright = np.maximum(images, 200)
    guided = room.guided_gradients(module, variables, bright, channels, 3)
    np.testing.assert_allclose(guided, _plain(module, variables, bright, channels), rtol=1e-5)


@pytest.mark.parametrize(
    "words",
    [["activation=leaky_relu"], ["activation=prelu"], ["family=resnet", "activation=elu"], ["norm=virtual_batch"]],
    ids=str,
)
def test_the_forward_pass_stays_as_it_is(words):
    module, variables, images = network(*words)
    labels = jnp.arange(4) % 3
    before, after = (
        m.apply(variables, room.to_float(images), labels, train=False) for m in (module, room.guided(module))
    )
    assert np.array_equal(before.logits, after.logits)
    channels = np.arange(4)
    changed = room.guided_gradients(module, variables, images, channels, 3)
    assert changed.any()
    assert not np.allclose(changed, _plain(module, variables, images, channels), atol=1e-3)


def test_selectivity_of_hand_numbers():
    responses = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 1.0], [0.0, 2.0, 1.0], [0.0, 2.0, 1.0]])
    # Class means 1 and 0; 2 and 2; 2 and 1.
    np.testing.assert_allclose(room.selectivity(responses, np.array([0, 0, 1, 1])), [1.0, 0.0, 1 / 3])


def test_share_of_a_gradient_on_ink():
    images = np.zeros((3, 2, 2, 1), np.uint8)
    images[:, 0] = 255
    gradients = np.zeros((3, 2, 2, 1), np.float32)
    gradients[0, :, 0, 0] = 3.0, -4.0
    gradients[1, 0, 0, 0] = -1.0
    assert room.ink_share(gradients, images) == pytest.approx((9 / 25 + 1) / 2)  # The third has no gradient.
    assert room.ink_share(gradients[2:], images[2:]) is None


def test_channels_are_spread_over_images():
    top = np.array([[0, 1], [1, 2], [3, 4], [4, 5]])
    strength = np.array([4.0, 3.0, 1.0, 2.0])
    assert room.spread(top, strength, 2) == [0, 3]
    assert room.spread(top, strength, 4) == [0, 3, 1, 2]


def test_on_a_run(config, tmp_path):
    path = tmp_path / "run"
    train.train(config, str(path))
    trained = load(str(path))
    subject = Subject(trained, train.load_data(trained.config, ""), None, "", 0, 50, build.is_conditional(config))
    numbers = room.filters(subject, tmp_path)
    for name in ("trained", "random"):
        assert 0 <= numbers[f"selectivity_{name}"] <= 1
        assert 0 <= numbers[f"ink_share_{name}"] <= 1
        assert numbers[f"channels_{name}"] == 8
    assert numbers["num_test"] == 6
    assert Image.open(tmp_path / "filters.png").size[0] > 500
