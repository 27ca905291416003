"""The metrics of a step besides the losses, against NumPy and gradients that are computed in another way."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.gan import metrics
from gan_jax.gan.types import Batch
from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.system.errors import UserError
from tests.gan.tiny_gan import batches, equal, make
from tests.losses.linear import linear_inputs

REAL, FAKE = (np.random.default_rng(seed).normal(size=(6, 5)).astype(np.float32) for seed in (0, 1))
WEIGHTS = np.random.default_rng(2).normal(size=5).astype(np.float32)


def linear_update(objective, weights=WEIGHTS, real=REAL):
    """An update of a D whose logits are x . w."""

    def inputs(params):
        loss_inputs = linear_inputs()
        return loss_inputs._replace(
            real=loss_inputs.real._replace(logits=real @ params), fake=loss_inputs.fake._replace(logits=FAKE @ params)
        )

    def loss(loss_inputs):
        return OBJECTIVES[objective].discriminator(
            loss_inputs.real.logits, loss_inputs.fake.logits, loss_inputs.targets
        ), {}

    gradients = jax.grad(lambda params: loss(inputs(params))[0])(weights)
    return metrics.Update(jnp.asarray(weights), gradients, Batch(jnp.asarray(FAKE), None), inputs, loss)


def test_gradient_norm_and_pixel_std_equal_numpy():
    update = linear_update("hinge")._replace(gradients={"a": jnp.array([3.0, 4.0]), "b": jnp.full((2, 2), 6.0)})
    assert metrics.gradient_norm(update) == 13.0
    assert metrics.pixel_std(update) == pytest.approx(FAKE.astype(np.float64).std(axis=0).mean(), rel=1e-5)


def test_logit_gradients_equal_those_of_logistic_regression():
    """-mean (1 - p(x)) x over real images, and mean p(x) x over generated ones, in float64."""
    real, fake, weights = (np.asarray(array, np.float64) for array in (REAL, FAKE, WEIGHTS))
    p = lambda x: 1 / (1 + np.exp(-x @ weights))  # noqa: E731
    by_real = -((1 - p(real))[:, None] * real).mean(axis=0)
    by_fake = (p(fake)[:, None] * fake).mean(axis=0)
    update = linear_update("bce_logits")
    for actual, expected in zip(metrics.logit_gradients(update), (by_real, by_fake), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5)
    cosine = by_real @ by_fake / np.linalg.norm(by_real) / np.linalg.norm(by_fake)
    assert -1 < cosine < 1
    assert metrics.gradient_cosine(update) == pytest.approx(cosine, rel=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_logit_gradients_add_up_to_the_gradient_of_the_loss(objective):
    """Also for losses that compare real with generated images."""
    update = linear_update(objective)
    real, fake = metrics.logit_gradients(update)
    np.testing.assert_allclose(real + fake, update.gradients, rtol=1e-4, atol=1e-6)


def test_opposite_gradients_have_cosine_minus_1_and_zero_gradients_0():
    assert metrics.gradient_cosine(linear_update("wasserstein", real=FAKE)) == pytest.approx(-1, rel=1e-5)
    assert metrics.gradient_cosine(linear_update("cross_entropy")) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"discriminator__norm": "batch", "d_steps": 2},
        {"discriminator__dropout": 0.5, "objective": "relativistic_average"},
        pytest.param(
            {"discriminator__kernel_norm": "spectral", "augmentation__differentiable": "translation"},
            marks=pytest.mark.thorough,
        ),
    ],
    ids=str,
)
def test_in_a_step_logit_gradients_use_the_same_draws_as_the_loss(changes):
    """The gradients of real and generated images add up to that of the step, with dropout and augmentation too."""

    def relative_error(update):
        real, fake = metrics.logit_gradients(update)
        residual = jax.tree.map(lambda total, a, b: total - a - b, update.gradients, real, fake)
        return metrics.gradient_norm(update._replace(gradients=residual)) / metrics.gradient_norm(update)

    gan, state = make(**changes)
    gan = dataclasses.replace(gan, metrics={"d_relative_error": relative_error})
    _, step_metrics = jax.jit(gan.step)(state, batches(changes.get("d_steps", 1)), jax.random.key(0))
    assert step_metrics["d_relative_error"] < 1e-5
    assert "g_relative_error" not in step_metrics


def test_extra_metrics_are_computed_on_request_and_change_nothing_else():
    gan, state = make()
    state_without, metrics_without = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    gan_with_extra, _ = make(extra_metrics=" d_gradient_cosine,")
    state_with, metrics_with = jax.jit(gan_with_extra.step)(state, batches(), jax.random.key(0))
    assert {"d_grad_norm", "g_grad_norm", "g_pixel_std"} <= set(metrics_without)
    assert set(metrics_with) - set(metrics_without) == {"d_gradient_cosine"}
    assert -1 <= metrics_with["d_gradient_cosine"] < 1
    for a, b in zip(jax.tree.leaves(state_without), jax.tree.leaves(state_with), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert equal(state_without.step, state_with.step)


def test_the_prefix_of_every_metric_names_its_player():
    table = metrics.METRICS | metrics.EXTRA_METRICS
    assert len(table) == len(metrics.METRICS) + len(metrics.EXTRA_METRICS)
    assert all(name[:2] in ("d_", "g_") for name in table)


def test_an_unknown_metric_is_refused_with_similar_names():
    with pytest.raises(UserError, match="extra_metrics='d_gradient_cosin' is unknown; did you mean d_gradient_cosine"):
        metrics.choose_metrics("d_gradient_cosin")
    with pytest.raises(UserError, match="extra_metrics='d_grad_norm' is unknown"):
        metrics.choose_metrics("d_grad_norm")
