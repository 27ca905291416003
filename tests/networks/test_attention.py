"""Self-attention against a loop in numpy, and its place in the networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers.attention import SelfAttention
from gan_jax.layers.kernel_norms import spectral
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from tests.networks.small import LABELS, RNG, discriminator, draw, generator, shapes_of
from tests.systems import shapes_of_a_step


def attention_of_numpy(x, params):
    """Equations 1 to 3 of the paper, position by position; keys f and values h are maxima of 2 x 2 positions."""
    kernel = {name: layer["kernel"][0, 0] for name, layer in params.items() if name != "gamma"}
    batch, height, width, channels = x.shape
    y = np.zeros_like(x)
    for image in range(batch):
        f, g, h = (x[image] @ kernel[name] for name in ("keys", "queries", "values"))
        if height % 2 == 0 and width % 2 == 0:
            tiles = [(i, j) for i in range(0, height, 2) for j in range(0, width, 2)]
            f, h = ([v[i : i + 2, j : j + 2].max(axis=(0, 1)) for i, j in tiles] for v in (f, h))
        else:
            f, h = f.reshape(-1, f.shape[-1]), h.reshape(-1, h.shape[-1])
        for row, column in np.ndindex(height, width):
            s = np.array([np.dot(key, g[row, column]) for key in f])
            b = np.exp(s) / np.exp(s).sum()
            o = sum(weight * value for weight, value in zip(b, h, strict=True)) @ kernel["output"]
            y[image, row, column] = x[image, row, column] + params["gamma"] * o
    return y


@pytest.mark.parametrize(("shape", "widths"), [((2, 4, 6, 16), (2, 8)), ((2, 3, 4, 5), (1, 2))])
def test_equals_numpy(shape, widths):
    module, x = SelfAttention(), RNG.normal(size=shape)
    params = draw_params(module, x, 0.7)
    assert params["keys"]["kernel"].shape == params["queries"]["kernel"].shape == (1, 1, shape[-1], widths[0])
    assert params["values"]["kernel"].shape == (1, 1, shape[-1], widths[1])
    assert not any("bias" in layer for name, layer in params.items() if name != "gamma")
    y = module.apply({"params": params}, x.astype(np.float32), True)
    assert np.abs(y - x).max() > 0.1
    np.testing.assert_allclose(y, attention_of_numpy(x, params), rtol=1e-4, atol=1e-4)


def draw_params(module, x, scale):
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros(x.shape), True))["params"]
    return jax.tree.map(lambda leaf: (scale * RNG.normal(size=leaf.shape)).astype(np.float32), shapes)


@pytest.mark.thorough
def test_it_starts_as_the_identity_and_gamma_has_a_gradient():
    x = RNG.normal(size=(2, 4, 4, 8)).astype(np.float32)
    module = SelfAttention(kernel_norm=spectral)
    variables = module.init(jax.random.key(0), x, True)
    # The kernel norm is that of every 1x1 convolution.
    assert variables["spectral"].keys() == {"keys", "queries", "values", "output"}
    np.testing.assert_array_equal(module.apply(variables, x, False), x)
    loss = lambda p: jnp.sum(module.apply({**variables, "params": p}, x, False) ** 3)  # noqa: E731
    assert abs(float(jax.grad(loss)(variables["params"])["gamma"])) > 1e-3


SIDES = {  # family -> (sides of the hidden layers of G, of D), for widths of two numbers and images of 8 x 8
    "dcgan": ((2, 4), (4, 2)),
    "r3gan": ((4, 8), (8, 4)),
    "resnet": ((4, 8), (4, 2)),
    "stylegan2": ((4, 8), (8, 4)),
}


@pytest.mark.parametrize("family", SIDES)
def test_a_layer_follows_the_chosen_sides(family):
    for player, make, sides in zip("gd", (generator, discriminator), SIDES[family], strict=True):
        for chosen in ((sides[0],), (sides[1],), sides):
            arguments = ((6, 4), (8, 8, 1)) if player == "g" else ((6, 4),)
            module = make(family, *arguments, attention_sides=chosen)
            _, params = shapes_of(module, *((3,) if player == "g" else (8, 8, 1)))
            names = {f"Attention_{side}" for side in chosen}
            assert {name for name in params if name.startswith("Attention")} == names
            # Without them, the network is the same.
            plain = shapes_of(make(family, *arguments), *((3,) if player == "g" else (8, 8, 1)))[1]
            assert {name: leaf for name, leaf in params.items() if name not in names} == plain


def test_attention_is_between_the_layers():
    """The last hidden layer of DCGAN's D gets y instead of x."""
    module, images = discriminator("dcgan", (8, 4), attention_sides=(4,)), RNG.normal(size=(5, 8, 8, 1))
    images = images.astype(np.float32)
    variables = draw(module, images, 0.7)
    params = variables["params"]
    plain = discriminator("dcgan", (8, 4))
    without = {"params": {name: leaf for name, leaf in params.items() if name != "Attention_4"}}
    attention, seen = params["Attention_4"], []

    def record(x, labels, train):
        seen.append(np.asarray(x))
        return x, jnp.asarray(attention_of_numpy(seen[-1].astype(np.float64), attention), jnp.float32)

    first = plain.post_layers[0]
    spliced = plain.clone(post_layers=(lambda: lambda *args: record(first()(*args)[1], *args[1:]), first))
    expected = spliced.apply(without, images, LABELS, True).logits
    np.testing.assert_allclose(module.apply(variables, images, LABELS, True).logits, expected, rtol=1e-3, atol=1e-4)
    assert np.abs(expected - plain.apply(without, images, LABELS, True).logits).max() > 1e-2


@pytest.mark.parametrize(
    ("spec", "changes", "message"),
    [
        (
            "configs/dcgan.py",
            {"generator.attention_sides": (14, 16)},
            r"generator.attention_sides=\(14, 16\): no hidden layer has an output of 16 pixels; choose among 7, 14",
        ),
        ("configs/r3gan.py", {"discriminator.attention_sides": (3,)}, "output of 3 pixels; choose among 7, 14, 28"),
        ("configs/cgan.py", {"generator.attention_sides": (7,)}, "does nothing for family mlp; leave it unset"),
    ],
)
def test_mistakes(spec, changes, message):
    config = configs.load(spec)
    configs.override(config, changes)
    with pytest.raises(UserError, match=message):
        shapes_of_a_step(config)
