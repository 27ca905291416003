"""Layers that see the whole batch: against loops in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers.minibatch import MINIBATCH, MinibatchDiscrimination, MinibatchStddev

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
    spread = np.mean([np.std(x[:, feature]) for feature in range(WIDTH)])
    return np.full((len(x), 1), spread)


CASES = {"discrimination": (MinibatchDiscrimination, (KERNELS, DIMENSION), discrimination)}
CASES["stddev"] = (MinibatchStddev, (), stddev)


def run(name, x, reference_size=0):
    """(output, T) with T of entries N(0, 0.3^2)."""
    module, fields, _ = CASES[name]
    module = module(*fields, reference_size)
    variables = module.init(jax.random.key(0), x)
    tensor = 0.3 * np.random.default_rng(1).normal(size=(WIDTH, KERNELS * DIMENSION))
    variables = jax.tree.map(lambda leaf: tensor.astype(np.float32).reshape(leaf.shape), variables)
    return np.asarray(module.apply(variables, x)), tensor


@pytest.mark.parametrize("name", CASES)
def test_features_and_what_the_batch_says_of_them_equal_numpy(name):
    y, tensor = run(name, FEATURES)
    np.testing.assert_array_equal(y[:, :WIDTH], FEATURES)
    np.testing.assert_allclose(y[:, WIDTH:], CASES[name][2](FEATURES.astype(np.float64), tensor), rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_reference_and_batch_do_not_see_each_other(name):
    y, tensor = run(name, FEATURES, reference_size=3)
    apart = [CASES[name][2](group.astype(np.float64), tensor) for group in (FEATURES[:3], FEATURES[3:])]
    np.testing.assert_allclose(y[:, WIDTH:], np.concatenate(apart), rtol=1e-4)
    assert not np.allclose(y, run(name, FEATURES)[0], rtol=1e-2)


@pytest.mark.parametrize("name", CASES)
def test_order_of_the_batch_does_not_matter(name):
    order = np.array([3, 0, 6, 1, 5, 2, 4])
    np.testing.assert_allclose(run(name, FEATURES[order])[0], run(name, FEATURES)[0][order], rtol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_collapsed_batch_is_seen_and_has_gradients(name):
    """All alike: closeness B, standard deviation 0, and a finite gradient."""
    module, fields, _ = CASES[name]
    module, same = module(*fields), np.repeat(FEATURES[:1], 4, axis=0)
    variables = module.init(jax.random.key(0), same)
    expected = {"discrimination": 4.0, "stddev": 1e-4}[name]
    y, gradient = jax.value_and_grad(lambda x: jnp.mean(module.apply(variables, x)[:, WIDTH:]))(same)
    assert float(y) == pytest.approx(expected, rel=1e-3)
    assert np.isfinite(gradient).all()


def test_every_kind_is_checked_and_none_changes_nothing():
    assert set(MINIBATCH) == {*CASES, "none"}
    assert MINIBATCH["none"]().apply({}, FEATURES) is FEATURES
