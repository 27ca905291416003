"""Layers that mix the images of a batch, against loops in numpy; and how a step updates the states of layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import build
from gan_jax.gan.types import Batch
from gan_jax.layers.minibatch import MINIBATCH, MinibatchDiscrimination, MinibatchStddev, closeness
from gan_jax.runs import initial_state
from gan_jax.system import config as configs

KERNELS, DIMENSION, WIDTH = 3, 2, 5
FEATURES = np.random.default_rng(0).normal(size=(7, WIDTH)).astype(np.float32)


def discrimination(x, tensor):
    """o(x_i)_b = sum_j exp(-||M_ib - M_jb||_1), M_i = x_i T with T [A, kernels, dimension] (section 3.2)."""
    rows = np.einsum("ia,abc->ibc", x, tensor.reshape(WIDTH, KERNELS, DIMENSION))
    closeness = np.zeros((len(x), KERNELS))
    for i in range(len(x)):
        for j in range(len(x)):
            for b in range(KERNELS):
                closeness[i, b] += np.exp(-np.sum(np.abs(rows[i, b] - rows[j, b])))
    return closeness


def stddev(x, tensor):
    del tensor
    mean_stddev = np.mean([np.std(x[:, feature]) for feature in range(WIDTH)])
    return np.full((len(x), 1), mean_stddev)


CASES = {"discrimination": (MinibatchDiscrimination, (KERNELS, DIMENSION), discrimination)}
CASES["stddev"] = (MinibatchStddev, (), stddev)


def run(name, x, reference_size=0):
    """(output, T) with T of entries N(0, 0.3^2)."""
    module, fields, _ = CASES[name]
    module = module(*fields, reference_size)
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), x))
    tensor = 0.3 * np.random.default_rng(1).normal(size=(WIDTH, KERNELS * DIMENSION))
    variables = jax.tree.map(lambda leaf: tensor.astype(np.float32).reshape(leaf.shape), variables)
    return np.asarray(jax.jit(module.apply)(variables, x)), tensor


@pytest.mark.parametrize("name", CASES)
def test_features_and_batch_statistics_equal_numpy(name):
    y, tensor = run(name, FEATURES)
    np.testing.assert_array_equal(y[:, :WIDTH], FEATURES)
    np.testing.assert_allclose(y[:, WIDTH:], CASES[name][2](FEATURES.astype(np.float64), tensor), rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_reference_and_batch_are_independent(name):
    y, tensor = run(name, FEATURES, reference_size=3)
    expected = [CASES[name][2](group.astype(np.float64), tensor) for group in (FEATURES[:3], FEATURES[3:])]
    np.testing.assert_allclose(y[:, WIDTH:], np.concatenate(expected), rtol=1e-4)
    assert not np.allclose(y, run(name, FEATURES)[0], rtol=1e-2)


@pytest.mark.parametrize("name", CASES)
def test_order_of_the_batch_does_not_matter(name):
    order = np.array([3, 0, 6, 1, 5, 2, 4])
    np.testing.assert_allclose(run(name, FEATURES[order])[0], run(name, FEATURES)[0][order], rtol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_collapsed_batch_is_detected_and_has_finite_gradients(name):
    """If all rows are equal, closeness is B, the standard deviation is 0, and the gradient is finite."""
    module, fields, _ = CASES[name]
    module, equal_rows = module(*fields), np.repeat(FEATURES[:1], 4, axis=0)
    variables = jax.jit(module.init)(jax.random.key(0), equal_rows)
    expected = {"discrimination": 4.0, "stddev": 1e-4}[name]
    y, gradient = jax.jit(jax.value_and_grad(lambda x: jnp.mean(module.apply(variables, x)[:, WIDTH:])))(equal_rows)
    assert float(y) == pytest.approx(expected, rel=1e-3)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_of_closeness_equal_automatic_differentiation(order):
    """Two rows are equal, so a difference is 0; |x| then counts as constant. Order 2 is for gradient penalties."""

    def reference_closeness(rows):
        differences = rows[:, :, None] - rows[:, None]
        distances = jnp.where(differences > 0, differences, jnp.where(differences < 0, -differences, 0.0))
        return jnp.sum(jnp.exp(-jnp.sum(distances, axis=0)), axis=1)

    rng = np.random.default_rng(3)
    rows, weights = rng.normal(size=(DIMENSION, 7, KERNELS)), rng.normal(size=(7, KERNELS))
    rows[:, 4] = rows[:, 1]

    def gradient(function):
        first = jax.grad(lambda rows: jnp.sum(weights * function(rows)))
        second = jax.grad(lambda rows: jnp.sum(first(rows) ** 2))
        return np.asarray(jax.jit((first, second)[order - 1])(rows))

    np.testing.assert_allclose(gradient(closeness), gradient(reference_closeness), rtol=1e-4, atol=1e-6)


def test_every_kind_is_checked_and_none_changes_nothing():
    assert set(MINIBATCH) == {*CASES, "none"}
    assert MINIBATCH["none"]().apply({}, FEATURES) is FEATURES


@pytest.mark.thorough
def test_every_update_advances_the_states_of_layers_once():
    """Each D update advances u by one power iteration and the noise counts by 1, and never the reference."""
    config = configs.load("configs/default.py")
    knobs = {"batch_size": 5, "init_batch_size": 3, "num_steps": 2}
    for player in ("generator", "discriminator"):
        knobs |= {f"{player}.widths": (4,), f"{player}.noise_fade_updates": 9, f"{player[0]}_optimizer.name": "sgd"}
    knobs |= {"discriminator.norm": "virtual_batch", "discriminator.kernel_norm": "spectral"}
    knobs |= {"discriminator.input_noise": 0.3, "discriminator.conditioning": "concat", "generator.noise": 0.1}
    knobs |= {"d_optimizer.learning_rate": 0.1}
    configs.override(config, knobs)
    gan = build.build(config, (2, 2, 1), 4, 5)
    images = np.random.default_rng(2).normal(size=(8, 2, 2, 1)).astype(np.float32)
    labels = np.array([0, 1, 2, 2, 0, 3, 1, 0], np.int32)
    examples = Batch(jnp.asarray(images[:3]), jnp.asarray(labels[:3]))
    state, step = initial_state.init_state(gan, config.seed, examples), jax.jit(gan.step)
    batches = Batch(jnp.asarray(images[None, 3:]), jnp.asarray(labels[None, 3:]))
    for update in (1, 2):
        before = state.discriminator
        state, _ = step(state, batches, jax.random.key(0))
        advanced = 0
        for path, u in jax.tree.leaves_with_path(state.discriminator.stats["spectral"]):
            layer, old = before.params, before.stats["spectral"]
            for part in path[:-1]:
                layer, old = layer[part.key], old[part.key]
            kernel = np.asarray(layer.get("kernel", layer.get("embedding")), np.float64)
            expected = kernel.T @ kernel @ np.asarray(old["u"], np.float64)
            np.testing.assert_allclose(u, expected / np.linalg.norm(expected), rtol=1e-3, atol=1e-4)
            advanced += len(expected) > 1 and not np.allclose(u, old["u"], atol=1e-3)
        assert advanced == 2  # The hidden layer and the embedding; the head has one output, so its u is 1 or -1.
        for player in (state.generator, state.discriminator):
            assert {int(count) for count in jax.tree.leaves(player.stats["noise"])} == {update}
        np.testing.assert_array_equal(state.discriminator.stats["reference"]["inputs"], examples.images)
        np.testing.assert_array_equal(state.discriminator.stats["reference"]["labels"], examples.labels)
