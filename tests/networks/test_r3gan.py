"""R3GAN's networks against numpy and scipy, and their start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

from gan_jax import build
from gan_jax.gan.types import Batch
from gan_jax.runs.initial_state import blank_examples
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from tests.networks.resampled import doubled, halved
from tests.networks.small import LABELS, RNG, SIZE, count, discriminator, draw, generator, shapes_of


def linear(x, layer):
    """A 1x1 convolution."""
    return np.einsum("bhwc,cf->bhwf", x, layer["kernel"][0, 0]) + layer.get("bias", 0)


def grouped(x, layer):
    """A 3x3 convolution whose kernel [3, 3, C / groups, F] sees only the channels of its own group."""
    kernel = layer["kernel"]
    inputs, y = kernel.shape[2], np.zeros((*x.shape[:3], kernel.shape[3]))
    per_group = kernel.shape[3] // (x.shape[-1] // inputs)
    for image, filters in np.ndindex(len(x), kernel.shape[3]):
        first = filters // per_group * inputs
        for channel in range(inputs):
            y[image, :, :, filters] += scipy.signal.correlate2d(
                x[image, :, :, first + channel], kernel[:, :, channel, filters], "same"
            )
    return y + layer["bias"]


def block(x, params):
    relu = lambda x: np.maximum(x, 0)  # noqa: E731
    y = grouped(relu(linear(x, params["Conv_0"])), params["Conv_1"])
    return x + linear(relu(y), params["Conv_2"])


def test_the_generator_equals_numpy():
    module = generator("r3gan", (4, 3), (6, 6, 2), condition="concat", layers_per_width=2, group_channels=2)
    z = RNG.normal(size=(SIZE, 6)).astype(np.float32)
    variables = draw(module, z)
    p = variables["params"]
    label = np.asarray(p["Concat_0"]["LabelEmbedding_0"]["embedding"])[LABELS]
    weights = np.concatenate([z, label], axis=1) @ p["Dense_0"]["kernel"]
    x = p["basis"] * weights[:, None, None]
    assert x.shape == (SIZE, 3, 3, 4)
    x = block(block(x, p["Block_0"]), p["Block_1"])
    x = linear(doubled(x), p["Conv_0"])
    x = block(block(x, p["Block_2"]), p["Block_3"])
    expected = np.tanh(linear(x, p["Conv_1"]))
    images = jax.jit(lambda z: module.apply(variables, z, LABELS, train=True))(z)
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-5)


def test_the_discriminator_equals_numpy():
    module = discriminator("r3gan", (4, 6), group_channels=2)
    images = RNG.normal(size=(SIZE, 6, 6, 2)).astype(np.float32)
    variables = draw(module, images)
    p = variables["params"]
    x = block(linear(images, p["Conv_0"]), p["Block_0"])
    x = block(linear(halved(x), p["Conv_1"]), p["Block_1"])
    features = (x * p["positions"]).sum(axis=(1, 2))
    dense = p["Binary_0"]["Dense_0"]
    output = jax.jit(lambda x: module.apply(variables, x, LABELS, train=True))(images)
    np.testing.assert_allclose(output.features, features, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(output.logits, (features @ dense["kernel"] + dense["bias"])[:, 0], rtol=1e-3, atol=1e-3)


def test_the_published_size():
    """CIFAR-10's preset: 768 channels, two blocks a stage, 96 groups of 16; the bottleneck has twice the channels."""
    fields = {"layers_per_width": 2}
    images, params = shapes_of(generator("r3gan", (768,) * 4, (32, 32, 3), **fields), 64)
    assert images == (SIZE, 32, 32, 3)
    assert params["basis"] == (1, 4, 4, 768)
    assert [params["Block_7"][f"Conv_{i}"]["kernel"] for i in range(3)] == [
        *((1, 1, 768, 1536), (3, 3, 16, 1536), (1, 1, 1536, 768))
    ]
    a_block = 2 * 768 * 1536 + 9 * 16 * 1536 + 2 * 1536
    assert count(params) == 8 * a_block + 16 * 768 + 64 * 768 + 768 * 3
    _, params = shapes_of(discriminator("r3gan", (768,) * 4, **fields), 32, 32, 3)
    assert count(params) == 8 * a_block + 16 * 768 + 3 * 768 + 769


@pytest.mark.thorough
def test_a_network_starts_as_its_resampling():
    """The last kernel of each block is 0. The others start at L^(-1/4) sqrt(2 / 1.04) of their usual size."""
    config = configs.load("configs/r3gan.py")
    gan = build.build(config, (28, 28, 1), 10, 100)
    state = jax.jit(lambda: gan.init(jax.random.key(0), blank_examples(8, (28, 28, 1))))()
    for player in (state.generator, state.discriminator):
        for index in range(3):
            first, second, last = (player.params[f"Block_{index}"][f"Conv_{i}"]["kernel"] for i in range(3))
            assert not last.any()
            for kernel in (first, second):
                fan_in = np.prod(kernel.shape[:3])
                assert float(kernel.std() * fan_in**0.5) == pytest.approx(3**-0.25 * (2 / 1.04) ** 0.5, rel=0.1)
    images = jax.jit(gan.sample)(state, jax.random.key(1), jnp.arange(64) % 10)
    assert 0.1 < float(images.std()) < 0.9
    batch = Batch(jnp.zeros((1, 64, 28, 28, 1)), jnp.zeros((1, 64), jnp.int32))
    _, metrics = jax.eval_shape(gan.step, state, batch, jax.random.key(0))
    assert "d_r1_r2" in metrics


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator.kernel_norm": "spectral"}, "has kernels that start at 0; set --config.generator.kernel_norm=none"),
        ({"generator.group_channels": 5}, "generator.group_channels=5 does not divide the 128 channels"),
        ({"discriminator.expansion": -1}, "discriminator.expansion=-1: must be at least 0"),
        ({"generator.family": "mlp", "generator.expansion": 3}, "expansion=3 does nothing for family mlp"),
    ],
)
def test_mistakes(changes, message):
    config = configs.load("configs/r3gan.py")
    configs.override(config, changes)
    with pytest.raises(UserError, match=message):
        build.build(config, (28, 28, 1), 10, 100)
