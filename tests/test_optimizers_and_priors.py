"""Gradient rules against their equations in numpy, schedules and latent distributions against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.optimizers import RULES, SCHEDULES, make_optimizer, make_schedule
from gan_jax.priors import PRIORS


def trajectory(name, rate=0.1, steps=5, b1=0.5, b2=0.9, eps=1e-3):
    """Parameters after each step under gradients g_t = (t, -1)."""
    optimizer = make_optimizer(RULES[name], b1, b2, eps, make_schedule(SCHEDULES["constant"], rate, 0.0, steps))
    params = jnp.zeros(2)
    state, seen = optimizer.init(params), []
    for t in range(1, steps + 1):
        updates, state = optimizer.update(jnp.array([t, -1.0]), state, params)
        params = optax.apply_updates(params, updates)
        seen.append(params)
    return np.array(seen)


def test_adam_is_the_papers():
    """arXiv 1412.6980, algorithm 1."""
    m = v = theta = np.zeros(2)
    for t, ours in enumerate(trajectory("adam"), 1):
        g = np.array([t, -1.0])
        m, v = 0.5 * m + 0.5 * g, 0.9 * v + 0.1 * g**2
        theta = theta - 0.1 * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-3)
        np.testing.assert_allclose(ours, theta, rtol=1e-5)


def test_sgd_and_momentum():
    g = np.array([[t, -1.0] for t in range(1, 6)])
    np.testing.assert_allclose(trajectory("sgd"), -0.1 * np.cumsum(g, axis=0), rtol=1e-5)
    velocity = theta = np.zeros(2)
    for row, ours in zip(g, trajectory("momentum"), strict=True):
        velocity = 0.5 * velocity + row
        theta = theta - 0.1 * velocity
        np.testing.assert_allclose(ours, theta, rtol=1e-5)


@pytest.mark.parametrize(("name", "middle", "end"), [("constant", 1, 1), ("linear", 0.6, 0.2), ("cosine", 0.6, 0.2)])
def test_schedules(name, middle, end):
    rate = make_schedule(SCHEDULES[name], 1.0, 0.2, 100)
    assert (float(rate(0)), float(rate(50)), float(rate(100))) == pytest.approx((1, middle, end))


@pytest.mark.parametrize(("name", "variance"), [("normal", 1.0), ("uniform", 1 / 3)])
def test_priors_have_their_moments(name, variance):
    z = PRIORS[name](jax.random.key(0), (20_000, 4))
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(np.asarray(z).T), variance * np.eye(4), atol=0.03)
    assert name == "normal" or float(jnp.abs(z).max()) <= 1
