"""What a step reports besides the losses: by numpy, and against gradients that autodiff gives otherwise."""

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
        given = linear_inputs()
        return given._replace(
            real=given.real._replace(logits=real @ params), fake=given.fake._replace(logits=FAKE @ params)
        )

    def loss(given):
        return OBJECTIVES[objective].discriminator(given.real.logits, given.fake.logits, given.targets), {}

    gradients = jax.grad(lambda params: loss(inputs(params))[0])(weights)
    return metrics.Update(jnp.asarray(weights), gradients, Batch(jnp.asarray(FAKE), None), inputs, loss)


def test_the_norm_and_the_spread_are_numpys():
    update = linear_update("hinge")._replace(gradients={"a": jnp.array([3.0, 4.0]), "b": jnp.full((2, 2), 6.0)})
    assert metrics.gradient_norm(update) == 13.0
    assert metrics.pixel_std(update) == pytest.approx(FAKE.astype(np.float64).std(axis=0).mean(), rel=1e-5)


def test_the_gradients_through_the_logits_are_those_of_logistic_regression():
    """-mean (1 - p(x)) x over real images, and mean p(x) x over generated ones, in float64."""
    real, fake, weights = (np.asarray(array, np.float64) for array in (REAL, FAKE, WEIGHTS))
    p = lambda x: 1 / (1 + np.exp(-x @ weights))  # noqa: E731
    by_real = -((1 - p(real))[:, None] * real).mean(axis=0)
    by_fake = (p(fake)[:, None] * fake).mean(axis=0)
    update = linear_update("bce_logits")
    for ours, theirs in zip(metrics.logit_gradients(update), (by_real, by_fake), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    cosine = by_real @ by_fake / np.linalg.norm(by_real) / np.linalg.norm(by_fake)
    assert -1 < cosine < 1
    assert metrics.gradient_cosine(update) == pytest.approx(cosine, rel=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_gradients_through_the_logits_add_up_to_the_whole_one(objective):
    """Of losses too in which each kind of image is compared with the other."""
    update = linear_update(objective)
    real, fake = metrics.logit_gradients(update)
    np.testing.assert_allclose(real + fake, update.gradients, rtol=1e-4, atol=1e-6)


def test_opposite_gradients_have_a_cosine_of_minus_one_and_none_of_zero():
    assert metrics.gradient_cosine(linear_update("wasserstein", real=FAKE)) == pytest.approx(-1, rel=1e-5)
    assert metrics.gradient_cosine(linear_update("cross_entropy")) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"discriminator__norm": "batch", "d_steps": 2},
        {"discriminator__dropout": 0.5, "objective": "relativistic_average"},
        {"discriminator__kernel_norm": "spectral", "augmentation__differentiable": "translation"},
    ],
    ids=str,
)
def test_in_a_step_they_are_of_the_same_draws_as_the_loss(changes):
    """Real and generated parts add up to the gradient of the step, dropout and augmentation included."""

    def missing(update):
        real, fake = metrics.logit_gradients(update)
        rest = jax.tree.map(lambda whole, a, b: whole - a - b, update.gradients, real, fake)
        return metrics.gradient_norm(update._replace(gradients=rest)) / metrics.gradient_norm(update)

    gan, state = make(**changes)
    gan = dataclasses.replace(gan, metrics={"d_missing": missing})
    _, found = jax.jit(gan.step)(state, batches(changes.get("d_steps", 1)), jax.random.key(0))
    assert found["d_missing"] < 1e-5
    assert "g_missing" not in found


def test_extra_metrics_are_computed_if_they_are_asked_for_and_change_nothing_else():
    gan, state = make()
    plain, before = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    more, _ = make(extra_metrics=" d_gradient_cosine,")
    asked, after = jax.jit(more.step)(state, batches(), jax.random.key(0))
    assert {"d_grad_norm", "g_grad_norm", "g_pixel_std"} <= set(before)
    assert set(after) - set(before) == {"d_gradient_cosine"}
    assert -1 <= after["d_gradient_cosine"] < 1
    for ours, theirs in zip(jax.tree.leaves(plain), jax.tree.leaves(asked), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert equal(plain.step, asked.step)


def test_every_metric_says_in_whose_update_it_is_computed():
    table = metrics.METRICS | metrics.EXTRA_METRICS
    assert len(table) == len(metrics.METRICS) + len(metrics.EXTRA_METRICS)
    assert all(name[:2] in ("d_", "g_") for name in table)


def test_an_unknown_metric_is_refused_with_the_near_names():
    with pytest.raises(UserError, match="extra_metrics='d_gradient_cosin' is unknown; did you mean d_gradient_cosine"):
        metrics.choose_metrics("d_gradient_cosin")
    with pytest.raises(UserError, match="extra_metrics='d_grad_norm' is unknown"):
        metrics.choose_metrics("d_grad_norm")
