"""Norms, what follows a layer, conditioning, initializers: against numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers import norms
from gan_jax.layers.activations import ACTIVATIONS
from gan_jax.layers.conditioning import Concat
from gan_jax.layers.initializers import INITIALIZERS

X = jax.random.normal(jax.random.key(0), (8, 5, 5, 3)) * 2 + 1
LABELS = jnp.arange(8) % 4


def test_batch_norm_takes_per_channel_moments_and_momentum_is_the_decay():
    norm = norms.NORMS["batch"](0.8, 1e-3, 0.0)()
    variables = norm.init(jax.random.key(0), X, LABELS, train=True)
    y, new = norm.apply(variables, X, LABELS, train=True, mutable=["batch_stats"])
    mean, var = X.mean(axis=(0, 1, 2)), X.var(axis=(0, 1, 2))
    expand = lambda v: v.reshape(1, 1, 1, -1)  # noqa: E731
    np.testing.assert_allclose(y, (X - expand(mean)) / jnp.sqrt(expand(var) + 1e-3), rtol=1e-4, atol=1e-4)
    stats = jax.tree.leaves(new)
    np.testing.assert_allclose(stats[0], 0.2 * mean, rtol=1e-4)
    np.testing.assert_allclose(stats[1], 0.8 + 0.2 * var, rtol=1e-4)
    # In inference the running moments are used, so one image does not see the others.
    both = norm.apply({**variables, **new}, X, LABELS, train=False)
    alone = norm.apply({**variables, **new}, X[:1], LABELS[:1], train=False)
    np.testing.assert_allclose(both[:1], alone, rtol=1e-5)


def test_gain_starts_around_one_not_zero():
    """N(1, 0.02), where well-known code has N(0, 0.02) or N(1, 0)."""
    x = jnp.zeros((2, 4000))
    (_, scale) = jax.tree.leaves(
        norms.NORMS["batch"](0.9, 1e-5, 0.02)().init(jax.random.key(0), x, None, True)["params"]
    )
    assert float(scale.mean()) == pytest.approx(1, abs=2e-3)
    assert float(scale.std()) == pytest.approx(0.02, abs=1e-3)


def finish(order, **fields):
    module = norms.Finish(norms.NORMS["batch"](0.9, 1e-5, 0.0), order, ACTIVATIONS["relu"](0.0), **fields)
    variables = module.init({"params": jax.random.key(0), "dropout": jax.random.key(1)}, X, LABELS, train=True)
    rngs = {"dropout": jax.random.key(2)}
    return module.apply(variables, X, LABELS, train=True, rngs=rngs, mutable=["batch_stats"])[0]


def test_order_of_norm_and_activation():
    normalized_last = finish("activation_norm")
    np.testing.assert_allclose(normalized_last.mean(axis=(0, 1, 2)), 0.0, atol=1e-5)
    assert finish("norm_activation").min() == 0.0
    assert normalized_last.min() < 0


def test_channel_dropout_drops_whole_channels_and_keeps_the_mean():
    dropped = finish("norm_activation", dropout=0.5, channel_dropout=True)
    kept = finish("norm_activation")
    for image, whole in zip(dropped, kept, strict=True):
        for channel in range(3):
            plane = np.asarray(image[..., channel])
            assert np.all(plane == 0) or np.allclose(plane, 2 * whole[..., channel], rtol=1e-5)
    assert 0 < np.mean(np.asarray(dropped).max(axis=(1, 2)) == 0) < 1


def test_norm_places():
    assert {name: list(place(3)) for name, place in norms.NORM_PLACES.items()} == {
        "all": [0, 1, 2],
        "first": [0],
        "inner": [1, 2],
        "last": [2],
    }


def test_label_is_appended_as_a_vector_or_as_a_channel():
    module = Concat(num_classes=4, features=6)
    z = jnp.zeros((8, 10))
    y, variables = module.init_with_output(jax.random.key(0), z, LABELS)
    table = variables["params"]["LabelEmbedding_0"]["embedding"]
    assert table.shape == (4, 6)
    np.testing.assert_allclose(y[:, 10:], table[LABELS], rtol=1e-6)
    y, variables = module.init_with_output(jax.random.key(0), X, LABELS)
    assert y.shape == (8, 5, 5, 4)
    np.testing.assert_array_equal(y[..., :3], X)
    np.testing.assert_array_equal(y[0, ..., 3], y[4, ..., 3])
    assert not np.array_equal(y[0, ..., 3], y[1, ..., 3])


@pytest.mark.parametrize(
    ("name", "stddev"), [("normal", 0.02), ("torch_uniform", 300**-0.5 / 3**0.5), ("he_normal", (2 / 300) ** 0.5)]
)
def test_initializers_have_their_spread(name, stddev):
    w = INITIALIZERS[name](0.02)(jax.random.key(0), (300, 400))
    assert float(w.std()) == pytest.approx(stddev, rel=0.02)
    if name == "torch_uniform":
        assert float(jnp.abs(w).max()) <= 300**-0.5


def test_activations():
    x = jnp.array([-2.0, 3.0])
    np.testing.assert_allclose(ACTIVATIONS["leaky_relu"](0.2)(x), [-0.4, 3.0], rtol=1e-6)
    np.testing.assert_allclose(ACTIVATIONS["elu"](0.0)(x), [np.exp(-2) - 1, 3.0], rtol=1e-5)
