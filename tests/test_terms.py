"""Extra terms on critics whose answer is known by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import terms
from gan_jax.networks import heads
from gan_jax.targets import constant
from gan_jax.types import Batch, Critique, View

W = jax.random.normal(jax.random.key(5), (4 * 4,))


def linear_critic(images, labels):
    features = images.reshape(len(images), -1)
    return Critique(features @ W, features, features[:, :3])


def view():
    real, fake = (jax.random.normal(jax.random.key(seed), (6, 4, 4, 1)) for seed in (0, 1))
    labels = jnp.arange(6) % 3
    targets = constant(jax.random.key(0), 6, real=1.0, fake=0.0, generator=1.0)
    critiques = [linear_critic(images, labels) for images in (real, fake)]
    return View(Batch(real, labels), Batch(fake, labels), *critiques, targets, linear_critic, jax.random.key(2))


def test_penalties_of_a_linear_critic():
    norm = float(jnp.linalg.norm(W))
    assert terms.r1(view()) == pytest.approx(norm**2 / 2, rel=1e-5)
    assert terms.gradient_penalty(view()) == pytest.approx((norm - 1) ** 2, rel=1e-4)


def test_feature_matching_is_between_batch_means():
    v = view()
    real, fake = (np.asarray(critique.features) for critique in (v.real, v.fake))
    expected = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    assert terms.feature_matching(v) == pytest.approx(expected, rel=1e-5)
    shuffled = v._replace(fake=v.fake._replace(features=v.fake.features[::-1]))
    assert terms.feature_matching(shuffled) == pytest.approx(expected, rel=1e-5)


def test_classification_by_hand():
    v = view()
    logits = np.asarray(v.real.class_logits, np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -log_p[np.arange(6), np.asarray(v.batch.labels)].mean()
    assert terms.classification(v) == pytest.approx(expected, rel=1e-5)


def test_class_head_is_the_k_plus_one_softmax():
    """sigmoid(logsumexp(l)) = 1 - p(fake) of a softmax over K + 1 classes whose fake logit is 0."""
    head = heads.Class(4, jax.nn.initializers.normal(1.0))
    features = jax.random.normal(jax.random.key(0), (5, 7))
    critique, _ = head.init_with_output(jax.random.key(1), features, jnp.zeros((5,), jnp.int32))
    softmax = jax.nn.softmax(jnp.pad(critique.class_logits, ((0, 0), (0, 1))), axis=-1)
    np.testing.assert_allclose(jax.nn.sigmoid(critique.logits), 1 - softmax[:, -1], rtol=1e-5)


def test_weighted_sum_drops_zero_weights_and_names_its_parts():
    def forbidden(_):
        raise AssertionError("a term of weight 0 was computed")

    parts = {"a": (2.0, lambda v: jnp.float32(3.0)), "b": (0.5, lambda v: jnp.float32(4.0)), "c": (0.0, forbidden)}
    total, metrics = terms.weighted_sum("d", parts)(None)
    assert total == 8.0
    assert {name: float(value) for name, value in metrics.items()} == {"d_loss": 8.0, "d_a": 3.0, "d_b": 4.0}
    _, alone = terms.weighted_sum("g", {"a": parts["a"]})(None)
    assert list(alone) == ["g_loss"]
