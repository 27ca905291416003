"""Terms over the classes that D gives images without a label, by scipy and by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

from gan_jax.gan.types import Batch, DiscriminatorOutput
from gan_jax.losses import semi_supervised
from tests.losses.views import W, linear_critic, view


def test_classification_by_hand():
    v = view()
    logits = np.asarray(v.real.class_logits, np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -log_p[np.arange(6), np.asarray(v.batch.labels)].mean()
    assert semi_supervised.classification(v) == pytest.approx(expected, rel=1e-5)
    # With labelled images set apart they alone count: the labels beside the others say nothing.
    labelled = Batch(v.batch.images[:2], v.batch.labels[:2])
    few = v._replace(
        batch=Batch(v.batch.images, (v.batch.labels + 1) % 3, labelled), labelled=linear_critic(*labelled[:2])
    )
    assert semi_supervised.classification(few) == pytest.approx(-log_p[[0, 1], [0, 1]].mean(), rel=1e-5)
    fake = np.asarray(v.fake.class_logits, np.float64)
    log_p = fake - np.log(np.exp(fake).sum(axis=1, keepdims=True))
    assert semi_supervised.classification_fake(v) == pytest.approx(
        -log_p[np.arange(6), v.fakes.labels].mean(), rel=1e-5
    )
    assert semi_supervised.classification_as_fake(v) == pytest.approx(-log_p[:, 2].mean(), rel=1e-5)


@pytest.mark.parametrize(("decay_steps", "step", "share"), [(0, 70, 1.0), (10, 0, 1.0), (10, 4, 0.6), (10, 11, 0.0)])
def test_propagated_labels_count_less_and_less(decay_steps, step, share):
    v = view()
    whole = semi_supervised.classification(v)  # without labelled images set apart, of the labels beside the images
    few = v._replace(batch=v.batch._replace(labelled=Batch(v.batch.images[:2], v.batch.labels[:2])), step=step)
    value = semi_supervised.propagated_label(few, decay_steps=decay_steps, power=0.0)
    assert value == pytest.approx(share * float(whole), rel=1e-5)


@pytest.mark.parametrize("power", [0.3, 1.0])
def test_propagated_labels_by_the_generalized_cross_entropy(power):
    """By its formula; its slope is the cross-entropy's times p^q: it lets go of labels that D is sure are wrong."""
    v = view()
    p = scipy.special.softmax(np.asarray(v.real.class_logits, np.float64), axis=1)[np.arange(6), v.batch.labels]
    value = semi_supervised.propagated_label(v, decay_steps=0, power=power)
    assert value == pytest.approx(((1 - p**power) / power).mean(), rel=1e-5)

    def slopes(power):
        loss = lambda logits: semi_supervised.propagated_label(  # noqa: E731
            v._replace(real=v.real._replace(class_logits=logits)), decay_steps=0, power=power
        )
        return np.asarray(jax.grad(loss)(v.real.class_logits))

    np.testing.assert_allclose(slopes(power), p[:, None] ** power * slopes(0.0), rtol=1e-4, atol=1e-7)


def test_codistillation_by_scipy():
    v = view()
    logits = np.asarray(v.real.class_logits, np.float64)
    taught = scipy.special.softmax(np.random.default_rng(0).normal(size=logits.shape), axis=1)
    taught[0] = np.eye(logits.shape[1])[1]  # as sure as can be
    value = semi_supervised.codistillation(
        v._replace(batch=v.batch._replace(extras={"teacher_probs": jnp.asarray(taught)}))
    )
    expected = scipy.special.rel_entr(taught, scipy.special.softmax(logits, axis=1)).sum(axis=1).mean()
    assert value == pytest.approx(expected, rel=1e-5)


def test_entropy_by_scipy():
    v = view()
    expected = scipy.stats.entropy(scipy.special.softmax(np.asarray(v.real.class_logits, np.float64), axis=1), axis=1)
    assert semi_supervised.entropy(v) == pytest.approx(expected.mean(), rel=1e-5)


def test_class_balance_by_scipy():
    v = view()
    marginal = scipy.special.softmax(np.asarray(v.real.class_logits, np.float64), axis=1).mean(axis=0)
    assert semi_supervised.class_balance(v) == pytest.approx(scipy.stats.entropy(marginal, np.full(3, 1 / 3)), rel=1e-4)
    even = v.real._replace(class_logits=100.0 * jnp.eye(3))
    assert semi_supervised.class_balance(v._replace(real=even)) == pytest.approx(0, abs=1e-6)
    # All images in one class: log 3, and probabilities of exactly 0 leave the gradient finite.
    one = lambda scale: v.real._replace(class_logits=scale * jnp.array([[1.0, 0.0, 0.0]] * 6))  # noqa: E731
    value, slope = jax.value_and_grad(lambda scale: semi_supervised.class_balance(v._replace(real=one(scale))))(1000.0)
    assert value == pytest.approx(np.log(3), rel=1e-6)
    assert np.isfinite(slope)


def test_noise_consistency_compares_two_looks():
    v = view()
    assert semi_supervised.noise_consistency(v, target="own") == 0, "a critic without noise agrees with itself"
    noisy = v._replace(discriminate=lambda images, labels: linear_critic(images + 1, labels))
    a, b = (
        scipy.special.softmax(np.asarray(c.class_logits, np.float64), axis=1)
        for c in (v.real, noisy.discriminate(*v[0][:2]))
    )
    assert semi_supervised.noise_consistency(noisy, target="own") == pytest.approx(((a - b) ** 2).mean(), rel=1e-4)


@pytest.mark.parametrize(
    "term",
    [
        semi_supervised.noise_consistency,
        lambda view, target: semi_supervised.virtual_adversarial(view, radius=1e-3, probe=1e-3, target=target),
    ],
    ids=["noise_consistency", "virtual_adversarial"],
)
def test_classes_are_held_to_the_averaged_discriminator(term):
    averaged = lambda images, labels: linear_critic(images * 0.5, labels)  # noqa: E731
    v = view()._replace(discriminate_ema=averaged)
    p, q = (
        scipy.special.softmax(np.asarray(c.class_logits, np.float64), axis=1)
        for c in (averaged(*v.batch[:2]), linear_critic(*v.batch[:2]))
    )
    expected = (
        ((p - q) ** 2).mean() if term is semi_supervised.noise_consistency else scipy.stats.entropy(p, q, axis=1).mean()
    )
    assert term(v, target="ema") == pytest.approx(expected, rel=1e-2)
    assert term(v, target="own") == pytest.approx(0, abs=1e-5)


def test_pseudo_labels_by_hand():
    """Only images whose second look is sure of a class count, as if that were their label."""
    averaged = lambda images, labels: linear_critic(-3.0 * images, labels)  # noqa: E731
    v = view()._replace(discriminate_ema=averaged)
    q, p = (
        scipy.special.softmax(np.asarray(c.class_logits, np.float64), axis=1) for c in (averaged(*v.batch[:2]), v.real)
    )
    sure = q.max(axis=1) >= 0.9
    assert 0 < sure.sum() < 6
    taken = -np.log(p[np.arange(6), q.argmax(axis=1)])
    assert semi_supervised.pseudo_label(v, threshold=0.9, target="ema") == pytest.approx(
        taken[sure].sum() / 6, rel=1e-4
    )
    assert semi_supervised.pseudo_label(v, threshold=1e-6, target="ema") == pytest.approx(taken.mean(), rel=1e-4)
    # Its own second look, which without noise is the first one.
    assert semi_supervised.pseudo_label(v, threshold=1e-6, target="own") == pytest.approx(
        -np.log(p.max(axis=1)).mean(), rel=1e-4
    )


def test_pseudo_labels_are_constants():
    """The second look's parameters get no gradient, although it is sure through them."""

    def loss(scale):
        return semi_supervised.pseudo_label(
            view()._replace(discriminate=lambda images, labels: linear_critic(images * scale, labels)),
            threshold=0.5,
            target="own",
        )

    assert loss(3.0) > 0
    assert jax.grad(loss)(3.0) == 0


def test_interpolation_by_hand():
    """Where classes are a straight line nothing is to be learnt; elsewhere it is the divergence from that line."""
    averaged = lambda images, labels: linear_critic(-3.0 * images, labels)  # noqa: E731
    v = view()._replace(discriminate_ema=averaged)
    softmax = lambda critique: scipy.special.softmax(np.asarray(critique.class_logits, np.float64), axis=1)  # noqa: E731
    share = np.asarray(jax.random.uniform(jax.random.fold_in(v.key, 1), (6, 1, 1, 1)))
    images, q = np.asarray(v.batch.images), softmax(averaged(*v.batch[:2]))
    others, l = np.array([5, 0, 1, 2, 3, 4]), share[:, :, 0, 0]  # noqa: E741
    p = softmax(linear_critic(jnp.asarray(share * images + (1 - share) * images[others]), v.batch.labels))
    expected = scipy.stats.entropy(l * q + (1 - l) * q[others], p, axis=1).mean()
    assert semi_supervised.interpolation(v, target="ema") == pytest.approx(expected, rel=1e-4)

    def straight(images, labels):
        p = 1 / 3 + images.reshape(6, -1)[:, :2] / 30
        logits = jnp.log(jnp.concatenate([p, 1 - p.sum(axis=1, keepdims=True)], axis=1))
        return linear_critic(images, labels)._replace(class_logits=logits)

    assert semi_supervised.interpolation(view()._replace(discriminate=straight), target="own") == pytest.approx(
        0, abs=1e-6
    )


def test_mixed_classes_are_constants():
    """The second look's parameters get no gradient through the mixture, only the mixed images' own classes do."""

    def loss(scale, shown):
        look = lambda images, labels: linear_critic(images * scale, labels)  # noqa: E731
        v = view()
        return semi_supervised.interpolation(
            v._replace(
                discriminate_ema=look, discriminate=lambda images, labels: linear_critic(images * shown, labels)
            ),
            target="ema",
        )

    assert jax.grad(loss)(3.0, 1.0) == 0
    assert jax.grad(loss, argnums=1)(3.0, 1.0) != 0


def two_class_critic(images, labels):
    features = images.reshape(len(images), -1)
    return DiscriminatorOutput(features @ W, features, jnp.stack([features @ W, features[:, 0]], axis=1))


def test_virtual_adversarial_finds_the_worst_direction():
    """Of two linear class logits the divergence depends on one direction alone, the difference of their weights."""
    v = view()._replace(discriminate=two_class_critic)
    real = np.asarray(v.batch.images, np.float64).reshape(6, -1)
    weights = np.stack([np.asarray(W, np.float64), np.eye(16)[0]], axis=1)
    worst = weights[:, 0] - weights[:, 1]
    step = 0.3 * worst / np.linalg.norm(worst)

    def divergence(change):
        p, q = (scipy.special.softmax(x @ weights, axis=1) for x in (real, real + change))
        return scipy.stats.entropy(p, q, axis=1)

    value = float(semi_supervised.virtual_adversarial(v, radius=0.3, probe=0.01, target="own"))
    # The sign of the direction is the random start's.
    low, high = (f(divergence(step), divergence(-step)).mean() for f in (np.minimum, np.maximum))
    assert low * (1 - 1e-3) <= value <= high * (1 + 1e-3)
    directions = np.random.default_rng(0).normal(size=(200, 16))
    for direction in directions / np.linalg.norm(directions, axis=1, keepdims=True):
        assert divergence(0.3 * direction).mean() < value


def test_virtual_adversarial_holds_the_clean_answer_fixed():
    def loss(scale):
        critic = lambda images, labels: two_class_critic(images * scale, labels)  # noqa: E731
        return semi_supervised.virtual_adversarial(
            view()._replace(discriminate=critic), radius=0.3, probe=0.01, target="own"
        )

    clean = two_class_critic(view().batch.images, None).class_logits

    def held(scale):
        """The same with the clean answer and the direction as constants."""
        critic = lambda images: two_class_critic(images * scale, None).class_logits  # noqa: E731
        p = jax.nn.log_softmax(clean)
        return jnp.mean(jnp.sum(jnp.exp(p) * (p - jax.nn.log_softmax(critic(view().batch.images + change))), axis=1))

    difference = W - jnp.eye(16)[0]
    for flips in itertools.product((1, -1), repeat=6):
        change = (0.3 * difference / jnp.linalg.norm(difference)).reshape(1, 4, 4, 1)
        change = change * jnp.array(flips).reshape(6, 1, 1, 1)
        if held(1.0) == pytest.approx(float(loss(1.0)), rel=1e-4):
            assert jax.grad(held)(1.0) == pytest.approx(float(jax.grad(loss)(1.0)), rel=1e-3)
            return
    raise AssertionError("no choice of signs gives the term's value")
