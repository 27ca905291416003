"""StyleGAN2's networks against numpy, their start, and what an image depends on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

from gan_jax import build
from gan_jax.layers.kernel_norms import equalised
from gan_jax.layers.modulated_conv import fixed_noise
from gan_jax.runs.initial_state import blank_examples
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from tests.networks.resampled import doubled, halved
from tests.networks.small import LABELS, RNG, SIZE, count, discriminator, draw, generator, shapes_of

ROOT = np.sqrt(2)


def relu(x):
    """The activation of tests/networks/small.py with the gain of the family."""
    return ROOT * np.maximum(x, 0)


def convolve(x, kernel, bias=0.0):
    """SAME padding; kernel [k, k, C, F], divided by the root of its number of inputs: equalised."""
    kernel = np.asarray(kernel, np.float64) / np.sqrt(np.prod(kernel.shape[:3]))
    y = np.zeros((*x.shape[:3], kernel.shape[3]))
    for image, channel, filters in np.ndindex(len(x), *kernel.shape[2:]):
        y[image, :, :, filters] += scipy.signal.correlate2d(
            x[image, :, :, channel], kernel[:, :, channel, filters], "same"
        )
    return y + bias


def modulated(x, w, layer, demodulate=True):
    """Each image with a kernel of its own, equations 1 and 3."""
    style = 1 + w @ layer["Style"]["kernel"] / np.sqrt(w.shape[1]) + layer["Style"]["bias"]
    x, inputs, images = np.broadcast_to(x, (len(w), *x.shape[1:])), np.prod(layer["kernel"].shape[:3]), []
    for image, s in zip(x, style, strict=True):
        kernel = layer["kernel"] / np.sqrt(inputs) * s[:, None]
        if demodulate:
            kernel = kernel / np.sqrt((kernel**2).sum(axis=(0, 1, 2)) + 1e-8)
        images.append(convolve(image[None], kernel * np.sqrt(inputs))[0])
    return np.stack(images) + layer["bias"]


def mapped(z, layers):
    """The mapping network: leaky ReLU of slope 0.2, kernels and biases 0.01 times as large as they are stored."""
    w = z / np.sqrt(np.mean(z**2, axis=1, keepdims=True) + 1e-8)
    for layer in layers:
        w = w @ (0.01 * layer["kernel"]) / np.sqrt(w.shape[1]) + 0.01 * layer["bias"]
        w = ROOT * np.where(w > 0, w, 0.2 * w)
    return w


@pytest.mark.parametrize("condition", ["concat", "none"])
def test_the_generator_equals_numpy(condition):
    module = generator("stylegan2", (4, 3), (6, 6, 2), condition=condition, kernel_norm=equalised)
    module = module.clone(output_kernel_norm=equalised, mapping_layers=2)
    z = RNG.normal(size=(SIZE, 6)).astype(np.float32)
    variables = draw(module, z, 1.0)
    p = variables["params"]
    for name in ("Mapping_0", "Mapping_1"):
        p[name] = jax.tree.map(lambda leaf: 100 * leaf, p[name])
    label = np.asarray(p["Concat_0"]["LabelEmbedding_0"]["embedding"])[LABELS] if condition == "concat" else z[:, :0]
    w = mapped(np.concatenate([z, label], axis=1), (p["Mapping_0"], p["Mapping_1"]))
    assert w.shape == (SIZE, 6)

    def layer(x, index):
        noise = p[f"Noise_{index}"]["strength"] * fixed_noise(index, *x.shape[1:3])
        return relu(modulated(x, w, p[f"Conv_{index}"]) + noise)

    assert p["constant"].shape == (1, 3, 3, 4)
    x = layer(p["constant"], 0)
    image = modulated(x, w, p["ToImage_0"], demodulate=False)
    x = layer(layer(doubled(x), 1), 2)
    image = np.tanh(doubled(image) + modulated(x, w, p["ToImage_1"], demodulate=False))
    assert sorted(p) == sorted(
        [f"Conv_{i}" for i in range(3)] + [f"Noise_{i}" for i in range(3)] + ["ToImage_0", "ToImage_1", "constant"]
        + ["Mapping_0", "Mapping_1"] + (["Concat_0"] if condition == "concat" else [])
    )  # fmt: skip
    actual = jax.jit(lambda z: module.apply(variables, z, LABELS, train=False))(z)
    np.testing.assert_allclose(actual, image, rtol=1e-3, atol=1e-3)


def test_the_discriminator_equals_numpy():
    module = discriminator("stylegan2", (4, 6), kernel_norm=equalised)
    images = RNG.normal(size=(SIZE, 6, 6, 2)).astype(np.float32)
    variables = draw(module, images, 1.0)
    p = variables["params"]
    conv = lambda x, index: convolve(x, p[f"Conv_{index}"]["kernel"], p[f"Conv_{index}"].get("bias", 0))  # noqa: E731
    x = relu(conv(images, 0))
    shortcut = conv(halved(x), 1)
    x = (relu(halved(conv(relu(conv(x, 2)), 3))) + shortcut) / ROOT
    x = relu(conv(x, 4)).reshape(SIZE, -1)
    features = relu(x @ p["Dense_0"]["kernel"] / np.sqrt(x.shape[1]) + p["Dense_0"]["bias"])
    dense = p["Binary_0"]["Dense_0"]
    output = jax.jit(lambda x: module.apply(variables, x, LABELS, train=True))(images)
    np.testing.assert_allclose(output.features, features, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(output.logits, (features @ dense["kernel"] + dense["bias"])[:, 0], rtol=1e-3, atol=1e-2)
    assert "bias" not in p["Conv_1"]


def test_the_published_size():
    """32 x 32, 512 channels: seven convolutions from 4 x 4 on, images of four sizes, styles of 512 entries."""
    images, params = shapes_of(generator("stylegan2", (512,) * 4, (32, 32, 3), mapping_layers=8), 512)
    assert images == (SIZE, 32, 32, 3)
    assert params["constant"] == (1, 4, 4, 512)
    style, mapping = 512 * 512 + 512, 8 * (512 * 512 + 512)
    convolutions = 7 * (9 * 512 * 512 + 512 + style + 1)
    assert count(params) == mapping + 16 * 512 + convolutions + 4 * (512 * 3 + 3 + style)
    _, params = shapes_of(discriminator("stylegan2", (512,) * 4), 32, 32, 3)
    block = 2 * (9 * 512 * 512 + 512) + 512 * 512
    assert count(params) == 3 * 512 + 512 + 3 * block + 9 * 512 * 512 + 512 + 16 * 512 * 512 + 512 + 513


@pytest.fixture(scope="module")
def start():
    """(GAN, its initial state) of the config, with noise of strength 1."""
    config = configs.load("configs/stylegan2.py")
    gan = build.build(config, (28, 28, 1), 10, 100)
    state = jax.jit(lambda: gan.init(jax.random.key(0), blank_examples(8, (28, 28, 1))))()
    louder = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf + ("strength" in jax.tree_util.keystr(path)), (state.generator.params)
    )
    ema = state.generator.ema | {"params": louder}
    return gan, state._replace(generator=state.generator._replace(params=louder, ema=ema))


@pytest.mark.thorough
def test_images_depend_on_z_and_the_label_only(start):
    gan, state = start
    z, labels = gan.prior(jax.random.key(0), 6), jnp.arange(6)
    generate = jax.jit(gan.generate)
    images = generate(state, jax.random.key(1), z, labels)
    np.testing.assert_array_equal(images, generate(state, jax.random.key(2), z, labels))
    assert float(jnp.abs(images - generate(state, jax.random.key(1), z, labels[::-1])).max()) > 1e-2
    assert 0.1 < float(images.std()) < 10
    assert float(images.std(axis=0).mean()) > 0.05
    # In training, the noise is new.
    train = jax.jit(
        lambda key: gan.generator.apply(
            {"params": state.generator.params}, z, labels, train=True, rngs={"dropout": key}
        )
    )
    assert float(jnp.abs(train(jax.random.key(1)) - train(jax.random.key(2))).max()) > 1e-2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator.mapping_layers": -1}, "generator.mapping_layers=-1: must be at least 0"),
        ({"generator.kernel_init_stddev": 0.02}, "generator.kernel_norm=equalised scales kernels that start as N"),
        ({"discriminator.kernel_init": "lecun_normal"}, "discriminator.kernel_init=normal --config.discriminator.ker"),
        ({"generator.layers_per_width": 2}, "layers_per_width=2 does nothing for family stylegan2"),
        ({"generator.widths": (8, 8, 8, 8)}, "doubles the side 3 times"),
        ({"discriminator.minibatch": "stddev"}, "mixes the images of a batch; set --config.discriminator.minibatch="),
    ],
)
def test_mistakes(changes, message):
    config = configs.load("configs/stylegan2.py")
    configs.override(config, changes)
    with pytest.raises(UserError, match=message) as error:
        build.build(config, (28, 28, 1), 10, 100)
    assert "\n" not in str(error.value)
