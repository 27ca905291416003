"""Networks and heads: their layers, the shapes and blocks of the papers, heads against numpy."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers import kernel_norms, norms
from gan_jax.layers.conv import native_conv
from gan_jax.networks import NETWORKS
from gan_jax.networks.base import OUTPUTS, PIXELS
from gan_jax.networks.heads import CLASS_HEADS, HEADS
from tests.networks.small import (
    CLASSES,
    LABELS,
    POST_LAYERS,
    RNG,
    SIZE,
    count,
    discriminator,
    draw,
    generator,
    kernels,
    shapes_of,
)
from tests.systems import SMALL_WIDTHS


@pytest.mark.parametrize(
    ("layers", "g_dense", "d_dense"),
    [
        (1, [(3, 6), (6, 4), (4, 64)], [(64, 6), (6, 4)]),
        (2, [(3, 6), (6, 6), (6, 4), (4, 4), (4, 64)], [(64, 6), (6, 6), (6, 4), (4, 4)]),
    ],
)
def test_layers_of_mlps(layers, g_dense, d_dense):
    assert kernels(shapes_of(generator("mlp", (6, 4), (8, 8, 1), layers_per_width=layers), 3)[1], "Dense") == g_dense
    assert kernels(shapes_of(discriminator("mlp", (6, 4), layers_per_width=layers), 8, 8, 1)[1], "Dense") == d_dense


TO_IMAGE = [(4, 4, 6, 4), (4, 4, 4, 1)]
TO_IMAGE_TWICE = [(3, 3, 6, 6), (4, 4, 6, 4), (3, 3, 4, 4), (4, 4, 4, 1)]


@pytest.mark.parametrize(
    ("fields", "g_dense", "g_convs", "d_convs"),
    [
        ({}, (3, 2 * 2 * 6), TO_IMAGE, [(4, 4, 1, 6), (4, 4, 6, 4)]),
        ({"layers_per_width": 2}, (3, 24), TO_IMAGE_TWICE, [(3, 3, 1, 6), (4, 4, 6, 6), (3, 3, 6, 4), (4, 4, 4, 4)]),
        ({"kernel_size": 5}, (3, 24), [(5, 5, 6, 4), (5, 5, 4, 1)], [(5, 5, 1, 6), (5, 5, 6, 4)]),
        ({"upsampling": "nearest"}, (3, 4 * 4 * 6), TO_IMAGE, None),
        ({"upsampling": "nearest", "layers_per_width": 2}, (3, 96), TO_IMAGE_TWICE, None),
    ],
)
def test_layers_of_dcgans(fields, g_dense, g_convs, d_convs):
    images, params = shapes_of(generator("dcgan", (6, 4), (8, 8, 1), **fields), 3)
    assert images == (SIZE, 8, 8, 1)
    assert (kernels(params, "Dense"), kernels(params, "Conv")) == ([g_dense], g_convs)
    if d_convs:
        output, params = shapes_of(discriminator("dcgan", (6, 4), **fields), 8, 8, 1)
        assert kernels(params, "Conv") == d_convs
        assert output.features == (SIZE, 2 * 2 * 4)


class Mark(nn.Module):
    """A PostLayer that returns (its index, its index + 0.5) everywhere: features, and the input of the next layer."""

    index: int

    def __call__(self, x, labels, train):
        return jnp.full_like(x, self.index), jnp.full_like(x, self.index + 0.5)


@pytest.mark.parametrize("layer", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("family", ["mlp", "dcgan"])
def test_feature_layer_picks_its_hidden_layer(family, layer):
    module = discriminator(family, (6, 4), layers_per_width=2, feature_layer=layer)
    module = module.clone(post_layers=tuple(functools.partial(Mark, index) for index in range(4)))
    images = np.ones((SIZE, 8, 8, 1), np.float32)
    variables = draw(module, images)
    output = jax.jit(lambda v: module.apply(v, images, LABELS, train=True))(variables)
    width = {"mlp": [6, 6, 4, 4], "dcgan": [8 * 8 * 6, 4 * 4 * 6, 4 * 4 * 4, 2 * 2 * 4]}[family]
    np.testing.assert_array_equal(output.features, np.full((SIZE, width[layer]), layer % 4))
    # The head still reads the last layer.
    dense = variables["params"]["Binary_0"]["Dense_0"]
    assert len(dense["kernel"]) == width[-1]
    logits = np.full(SIZE, 3.5 * dense["kernel"].sum() + dense["bias"])
    np.testing.assert_allclose(output.logits, logits, rtol=1e-4, atol=1e-5)


def test_resnets_equal_those_of_miyato_et_al():
    """Table 4, for 32 x 32: the shape of every kernel, and the number of parameters of other implementations."""
    normed = functools.partial(POST_LAYERS, norm=norms.BatchNorm)
    images, params = shapes_of(generator("resnet", (256, 256, 256), (32, 32, 3), normed), 128)
    assert images == (SIZE, 32, 32, 3)
    assert kernels(params, "Dense") == [(128, 4 * 4 * 256)]
    assert kernels(params, "Conv") == [(3, 3, 256, 256), (3, 3, 256, 256), (1, 1, 256, 256)] * 3 + [(3, 3, 256, 3)]
    assert sum(name.startswith("PostLayer") for name in params) == 7
    assert count(params) == 4_276_739  # like the SNGAN generator of torch-mimicry for 32 x 32
    output, params = shapes_of(discriminator("resnet", (128,) * 4), 32, 32, 3)
    pair = [(3, 3, 128, 128)] * 2
    first = [(3, 3, 3, 128), (3, 3, 128, 128), (1, 1, 3, 128)]
    assert kernels(params, "Conv") == first + [*pair, (1, 1, 128, 128)] + pair + pair
    assert params["Binary_0"]["Dense_0"] == {"kernel": (128, 1), "bias": (1,)}
    assert (output.features, output.logits) == ((SIZE, 128), (SIZE,))
    # Convolutions of the first block; seven more of 3x3; one of 1x1; the dense layer.
    assert count(params) == (27 + 1 + 3 + 1) * 128 + 7 * (9 * 128 + 1) * 128 + 129 * 128 + 129


def layers_of(params):
    """(convolution number i, dense layer) of a network, without the layers of gan_jax."""

    def convolve(x, index):
        layer = params[f"Conv_{index}"]
        return native_conv(x, layer["kernel"], 1) + layer["bias"].reshape(1, 1, 1, -1)

    return convolve, lambda x, layer: x @ layer["kernel"] + layer["bias"][None]


def test_blocks_of_the_resnet_generator():
    """BN (none here) - ReLU - upsample - conv - ReLU - conv, plus upsample - 1x1."""
    module, z = generator("resnet", (3, 2), (8, 8, 1)), RNG.normal(size=(SIZE, 6)).astype(np.float32)
    variables = draw(module, z)
    convolve, dense = layers_of(variables["params"])
    larger = lambda x: jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)  # noqa: E731

    def expected(z):
        x = dense(z, variables["params"]["Dense_0"]).reshape(SIZE, 2, 2, 3)
        for block in (0, 3):
            y = convolve(larger(nn.relu(x)), block)
            x = convolve(nn.relu(y), block + 1) + convolve(larger(x), block + 2)
        return jnp.tanh(convolve(nn.relu(x), 6))

    y = jax.jit(lambda z: (module.apply(variables, z, LABELS, train=True), expected(z)))(z)
    np.testing.assert_allclose(*y, rtol=1e-4, atol=1e-5)


def test_blocks_of_the_resnet_discriminator():
    """The first: conv - ReLU - conv - pool, plus pool - 1x1; a shortcut has a 1x1 if side or width changes."""
    module, images = discriminator("resnet", (3, 3, 3, 2)), RNG.normal(size=(SIZE, 8, 8, 1)).astype(np.float32)
    variables = draw(module, images)
    convolve, dense = layers_of(variables["params"])
    half = lambda x: (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4  # noqa: E731

    def expected(x):
        x = half(convolve(nn.relu(convolve(x, 0)), 1)) + convolve(half(x), 2)
        x = half(convolve(nn.relu(convolve(nn.relu(x), 3)), 4)) + half(convolve(x, 5))
        x = convolve(nn.relu(convolve(nn.relu(x), 6)), 7) + x
        x = convolve(nn.relu(convolve(nn.relu(x), 8)), 9) + convolve(x, 10)
        features = nn.relu(x).sum(axis=(1, 2))
        return dense(features, variables["params"]["Binary_0"]["Dense_0"])[:, 0], features

    actual, expected_output = jax.jit(lambda x: (module.apply(variables, x, LABELS, train=True)[:2], expected(x)))(
        images
    )
    for a, b in zip(actual, expected_output, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("side", "channels", "doublings", "condition"),
    [(28, 1, 2, "none"), (28, 1, 2, "one_hot"), (32, 3, 3, "concat"), (64, 3, 4, "multiply")],
)
@pytest.mark.parametrize("family", NETWORKS)
def test_shapes(family, side, channels, doublings, condition):
    image_shape, widths = (side, side, channels), (4,) * doublings
    assert shapes_of(generator(family, widths, image_shape, condition=condition), 7)[0] == (SIZE, *image_shape)
    output_shapes, _ = shapes_of(discriminator(family, widths, condition=condition), *image_shape)
    features = {"dcgan": (side // 2**doublings) ** 2 * 4}.get(family, 4)
    assert output_shapes == ((SIZE,), (SIZE, features), None, {})


def softmax_difference(pair):
    """The logit whose sigmoid is the softmax's probability of the first."""
    share = np.exp(pair[:, 0]) / np.exp(pair).sum(axis=1)
    return np.log(share / (1 - share))


# head -> (features, the head's dense layers, embedding of each label) -> (logits, class logits)
EXPECTED_HEADS = {
    "auxiliary": lambda f, dense, e: (dense[0][:, 0], dense[1]),
    "auxiliary_fake": lambda f, dense, e: (dense[0][:, 0], dense[1]),
    "binary": lambda f, dense, e: (dense[0][:, 0], None),
    "class": lambda f, dense, e: (np.log(np.exp(dense[0]).sum(axis=1)), dense[0]),
    # Their other outputs: tests/losses/test_conditional.py
    "contrastive": lambda f, dense, e: (dense[0][:, 0], None),
    "discriminative": lambda f, dense, e: (dense[0][:, 0], dense[1][:, :CLASSES]),
    "info": lambda f, dense, e: (dense[0][:, 0], None),
    "twin": lambda f, dense, e: (dense[0][:, 0], dense[1]),
    # The embedding is divided by the root of its length.
    "projection": lambda f, dense, e: (dense[0][:, 0] + np.einsum("bf,bf->b", e, f) / 6**0.5, None),
    "two_logits": lambda f, dense, e: (softmax_difference(dense[0]), None),
}
NUM_CLASS_LOGITS = dict.fromkeys(CLASS_HEADS, CLASSES) | {"auxiliary_fake": CLASSES + 1}


@pytest.mark.parametrize("name", HEADS)
def test_heads_equal_numpy(name):
    module, features = HEADS[name](CLASSES, nn.initializers.normal(1.0)), RNG.normal(size=(SIZE, 6)).astype(np.float32)
    variables = draw(module, features)
    params = variables["params"]
    dense = [features @ layer["kernel"] + layer["bias"] for key, layer in sorted(params.items()) if "Dense" in key]
    embedding = params["LabelEmbedding_0"]["embedding"][LABELS] if name == "projection" else None
    logits, class_logits = EXPECTED_HEADS[name](features, dense, embedding)
    output = module.apply(variables, features, LABELS, train=True)
    np.testing.assert_allclose(output.logits, logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(output.features, features)
    assert (output.class_logits is None) == (class_logits is None)
    if class_logits is not None:
        assert output.class_logits.shape == (SIZE, NUM_CLASS_LOGITS[name])
        np.testing.assert_allclose(output.class_logits, class_logits, rtol=1e-4, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("family", NETWORKS)
def test_sigmoid_and_unit_pixels_are_the_same_networks_on_another_scale(family):
    """G gives 2 sigmoid(x) - 1 of the same last layer; D gets (x + 1) / 2."""
    widths, z = (4, 4), RNG.normal(size=(SIZE, 3)).astype(np.float32)
    g = generator(family, widths, (8, 8, 1))
    params = g.init(jax.random.key(0), z, LABELS, train=False)
    logits = np.arctanh(np.clip(g.apply(params, z, LABELS, train=False), -0.999999, 0.999999))
    sigmoid_images = g.clone(output=OUTPUTS["sigmoid"]).apply(params, z, LABELS, train=False)
    not_saturated = np.abs(logits) < 5
    np.testing.assert_allclose(sigmoid_images[not_saturated], (2 / (1 + np.exp(-logits)) - 1)[not_saturated], atol=1e-4)
    assert not_saturated.any()

    images = RNG.uniform(-1, 1, (SIZE, 8, 8, 1)).astype(np.float32)
    d = discriminator(family, widths)
    params = d.init(jax.random.key(0), images, LABELS, train=False)
    unit_output = d.clone(pixels=PIXELS["unit"]).apply(params, images, LABELS, train=False)
    np.testing.assert_allclose(
        unit_output.logits, d.apply(params, (images + 1) / 2, LABELS, train=False).logits, rtol=1e-4
    )


@pytest.mark.parametrize("family", NETWORKS)
def test_output_kernel_norm_is_for_the_last_layer_only(family):
    widths, z = (4, 4), RNG.normal(size=(SIZE, 3)).astype(np.float32)
    g = generator(family, widths, (8, 8, 1), output_kernel_norm=kernel_norms.weight_norm)
    params = g.init(jax.random.key(0), z, LABELS, train=True)["params"]
    scaled = [name for name, leaves in params.items() if isinstance(leaves, dict) and "scale" in leaves]
    assert len(scaled) == 1
    assert params[scaled[0]]["scale"].shape == ((64,) if family == "mlp" else (1,))


def test_every_family_has_a_small_form_for_the_slow_tests():
    assert SMALL_WIDTHS.keys() == NETWORKS.keys()
