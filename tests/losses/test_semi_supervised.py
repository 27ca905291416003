"""Terms over the class logits of images without a label, against scipy and hand numbers."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

from gan_jax.gan.types import Batch, DiscriminatorOutput, Progress
from gan_jax.losses import semi_supervised
from tests.losses.linear import W, linear_discriminator, linear_inputs


def test_classification_by_hand():
    inputs = linear_inputs()
    logits = np.asarray(inputs.real.class_logits, np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -log_p[np.arange(6), np.asarray(inputs.batch.labels)].mean()
    assert semi_supervised.classification(inputs) == pytest.approx(expected, rel=1e-5)
    # If the batch has labelled images, only those count; the labels of the other images are random.
    labelled = Batch(inputs.batch.images[:2], inputs.batch.labels[:2])
    few_labels = inputs._replace(
        batch=Batch(inputs.batch.images, (inputs.batch.labels + 1) % 3, labelled),
        labelled=linear_discriminator(*labelled[:2]),
    )
    assert semi_supervised.classification(few_labels) == pytest.approx(-log_p[[0, 1], [0, 1]].mean(), rel=1e-5)
    fake = np.asarray(inputs.fake.class_logits, np.float64)
    log_p = fake - np.log(np.exp(fake).sum(axis=1, keepdims=True))
    assert semi_supervised.classification_fake(inputs) == pytest.approx(
        -log_p[np.arange(6), inputs.fakes.labels].mean(), rel=1e-5
    )
    assert semi_supervised.classification_as_fake(inputs) == pytest.approx(-log_p[:, 2].mean(), rel=1e-5)


@pytest.mark.parametrize(("decay_steps", "step", "share"), [(0, 70, 1.0), (10, 0, 1.0), (10, 4, 0.6), (10, 11, 0.0)])
def test_the_weight_of_propagated_labels_decays(decay_steps, step, share):
    inputs = linear_inputs()
    classification = semi_supervised.classification(inputs)  # without labelled images: of the labels in the batch
    few_labels = inputs._replace(
        batch=inputs.batch._replace(labelled=Batch(inputs.batch.images[:2], inputs.batch.labels[:2])),
        progress=Progress(step),
    )
    value = semi_supervised.propagated_label(few_labels, decay_steps=decay_steps, power=0.0)
    assert value == pytest.approx(share * float(classification), rel=1e-5)


@pytest.mark.parametrize("power", [0.3, 1.0])
def test_propagated_labels_by_the_generalized_cross_entropy(power):
    """By its formula. Its gradient is p^q times that of the cross-entropy, so labels with a small p count little."""
    inputs = linear_inputs()
    p = scipy.special.softmax(np.asarray(inputs.real.class_logits, np.float64), axis=1)[
        np.arange(6), inputs.batch.labels
    ]
    value = semi_supervised.propagated_label(inputs, decay_steps=0, power=power)
    assert value == pytest.approx(((1 - p**power) / power).mean(), rel=1e-5)

    def gradients(power):
        loss = lambda logits: semi_supervised.propagated_label(  # noqa: E731
            inputs._replace(real=inputs.real._replace(class_logits=logits)), decay_steps=0, power=power
        )
        return np.asarray(jax.grad(loss)(inputs.real.class_logits))

    np.testing.assert_allclose(gradients(power), p[:, None] ** power * gradients(0.0), rtol=1e-4, atol=1e-7)


def test_codistillation_by_scipy():
    inputs = linear_inputs()
    logits = np.asarray(inputs.real.class_logits, np.float64)
    teacher_probs = scipy.special.softmax(np.random.default_rng(0).normal(size=logits.shape), axis=1)
    teacher_probs[0] = np.eye(logits.shape[1])[1]  # one-hot
    value = semi_supervised.codistillation(
        inputs._replace(batch=inputs.batch._replace(extras={"teacher_probs": jnp.asarray(teacher_probs)}))
    )
    expected = scipy.special.rel_entr(teacher_probs, scipy.special.softmax(logits, axis=1)).sum(axis=1).mean()
    assert value == pytest.approx(expected, rel=1e-5)


def test_entropy_by_scipy():
    inputs = linear_inputs()
    expected = scipy.stats.entropy(
        scipy.special.softmax(np.asarray(inputs.real.class_logits, np.float64), axis=1), axis=1
    )
    assert semi_supervised.entropy(inputs) == pytest.approx(expected.mean(), rel=1e-5)


def test_class_balance_by_scipy():
    inputs = linear_inputs()
    marginal = scipy.special.softmax(np.asarray(inputs.real.class_logits, np.float64), axis=1).mean(axis=0)
    assert semi_supervised.class_balance(inputs) == pytest.approx(
        scipy.stats.entropy(marginal, np.full(3, 1 / 3)), rel=1e-4
    )
    even = inputs.real._replace(class_logits=100.0 * jnp.eye(3))
    assert semi_supervised.class_balance(inputs._replace(real=even)) == pytest.approx(0, abs=1e-6)
    # All images in one class: log 3, and probabilities of exactly 0 leave the gradient finite.
    one_class = lambda scale: inputs.real._replace(class_logits=scale * jnp.array([[1.0, 0.0, 0.0]] * 6))  # noqa: E731
    value, gradient = jax.value_and_grad(
        lambda scale: semi_supervised.class_balance(inputs._replace(real=one_class(scale)))
    )(1000.0)
    assert value == pytest.approx(np.log(3), rel=1e-6)
    assert np.isfinite(gradient)


def test_noise_consistency_compares_two_forward_passes():
    inputs = linear_inputs()
    assert semi_supervised.noise_consistency(inputs, target="own") == 0, "without noise, both forward passes are equal"
    noisy_inputs = inputs._replace(discriminate=lambda images, labels: linear_discriminator(images + 1, labels))
    p, q = (
        scipy.special.softmax(np.asarray(output.class_logits, np.float64), axis=1)
        for output in (inputs.real, noisy_inputs.discriminate(*inputs[0][:2]))
    )
    assert semi_supervised.noise_consistency(noisy_inputs, target="own") == pytest.approx(
        ((p - q) ** 2).mean(), rel=1e-4
    )


@pytest.mark.parametrize(
    "term",
    [
        semi_supervised.noise_consistency,
        lambda inputs, target: semi_supervised.virtual_adversarial(inputs, radius=1e-3, probe=1e-3, target=target),
    ],
    ids=["noise_consistency", "virtual_adversarial"],
)
def test_consistency_targets_come_from_the_ema_discriminator(term):
    discriminate_ema = lambda images, labels: linear_discriminator(images * 0.5, labels)  # noqa: E731
    inputs = linear_inputs()._replace(discriminate_ema=discriminate_ema)
    p, q = (
        scipy.special.softmax(np.asarray(output.class_logits, np.float64), axis=1)
        for output in (discriminate_ema(*inputs.batch[:2]), linear_discriminator(*inputs.batch[:2]))
    )
    expected = (
        ((p - q) ** 2).mean() if term is semi_supervised.noise_consistency else scipy.stats.entropy(p, q, axis=1).mean()
    )
    assert term(inputs, target="ema") == pytest.approx(expected, rel=1e-2)
    assert term(inputs, target="own") == pytest.approx(0, abs=1e-5)


def test_pseudo_labels_by_hand():
    """An image counts if its second forward pass gives a class a probability above the threshold: that is its label."""
    discriminate_ema = lambda images, labels: linear_discriminator(-3.0 * images, labels)  # noqa: E731
    inputs = linear_inputs()._replace(discriminate_ema=discriminate_ema)
    q, p = (
        scipy.special.softmax(np.asarray(output.class_logits, np.float64), axis=1)
        for output in (discriminate_ema(*inputs.batch[:2]), inputs.real)
    )
    confident = q.max(axis=1) >= 0.9
    assert 0 < confident.sum() < 6
    cross_entropy = -np.log(p[np.arange(6), q.argmax(axis=1)])
    assert semi_supervised.pseudo_label(inputs, threshold=0.9, target="ema") == pytest.approx(
        cross_entropy[confident].sum() / 6, rel=1e-4
    )
    assert semi_supervised.pseudo_label(inputs, threshold=1e-6, target="ema") == pytest.approx(
        cross_entropy.mean(), rel=1e-4
    )
    # target="own": the second forward pass is of D itself. Without noise it equals the first one.
    assert semi_supervised.pseudo_label(inputs, threshold=1e-6, target="own") == pytest.approx(
        -np.log(p.max(axis=1)).mean(), rel=1e-4
    )


def test_pseudo_labels_get_no_gradient():
    """No gradient flows through the second forward pass, although its output depends on the parameters."""

    def loss(scale):
        return semi_supervised.pseudo_label(
            linear_inputs()._replace(discriminate=lambda images, labels: linear_discriminator(images * scale, labels)),
            threshold=0.5,
            target="own",
        )

    assert loss(3.0) > 0
    assert jax.grad(loss)(3.0) == 0


def test_interpolation_by_hand():
    """The divergence from the mixture of class probabilities; 0 if D's probabilities are linear in the image."""
    discriminate_ema = lambda images, labels: linear_discriminator(-3.0 * images, labels)  # noqa: E731
    inputs = linear_inputs()._replace(discriminate_ema=discriminate_ema)
    softmax = lambda output: scipy.special.softmax(np.asarray(output.class_logits, np.float64), axis=1)  # noqa: E731
    share = np.asarray(jax.random.uniform(jax.random.fold_in(inputs.key, 1), (6, 1, 1, 1)))
    images, q = np.asarray(inputs.batch.images), softmax(discriminate_ema(*inputs.batch[:2]))
    partners, l = np.array([5, 0, 1, 2, 3, 4]), share[:, :, 0, 0]  # noqa: E741
    p = softmax(linear_discriminator(jnp.asarray(share * images + (1 - share) * images[partners]), inputs.batch.labels))
    expected = scipy.stats.entropy(l * q + (1 - l) * q[partners], p, axis=1).mean()
    assert semi_supervised.interpolation(inputs, target="ema") == pytest.approx(expected, rel=1e-4)

    def classes_on_a_line(images, labels):
        p = 1 / 3 + images.reshape(6, -1)[:, :2] / 30
        logits = jnp.log(jnp.concatenate([p, 1 - p.sum(axis=1, keepdims=True)], axis=1))
        return linear_discriminator(images, labels)._replace(class_logits=logits)

    assert semi_supervised.interpolation(
        linear_inputs()._replace(discriminate=classes_on_a_line), target="own"
    ) == pytest.approx(0, abs=1e-6)


def test_mixed_classes_get_no_gradient():
    """No gradient flows through the targets that are mixed, only through D's output for the mixed images."""

    def loss(ema_scale, scale):
        discriminate_ema = lambda images, labels: linear_discriminator(images * ema_scale, labels)  # noqa: E731
        inputs = linear_inputs()
        return semi_supervised.interpolation(
            inputs._replace(
                discriminate_ema=discriminate_ema,
                discriminate=lambda images, labels: linear_discriminator(images * scale, labels),
            ),
            target="ema",
        )

    assert jax.grad(loss)(3.0, 1.0) == 0
    assert jax.grad(loss, argnums=1)(3.0, 1.0) != 0


def two_class_discriminator(images, labels):
    features = images.reshape(len(images), -1)
    return DiscriminatorOutput(features @ W, features, jnp.stack([features @ W, features[:, 0]], axis=1))


def test_virtual_adversarial_finds_the_worst_direction():
    """The divergence of two linear class logits depends on one direction only: the difference of their weights."""
    inputs = linear_inputs()._replace(discriminate=two_class_discriminator)
    real = np.asarray(inputs.batch.images, np.float64).reshape(6, -1)
    weights = np.stack([np.asarray(W, np.float64), np.eye(16)[0]], axis=1)
    worst = weights[:, 0] - weights[:, 1]
    step = 0.3 * worst / np.linalg.norm(worst)

    def divergence(perturbation):
        p, q = (scipy.special.softmax(x @ weights, axis=1) for x in (real, real + perturbation))
        return scipy.stats.entropy(p, q, axis=1)

    value = float(semi_supervised.virtual_adversarial(inputs, radius=0.3, probe=0.01, target="own"))
    # The sign of the direction depends on the random start.
    low, high = (f(divergence(step), divergence(-step)).mean() for f in (np.minimum, np.maximum))
    assert low * (1 - 1e-3) <= value <= high * (1 + 1e-3)
    directions = np.random.default_rng(0).normal(size=(200, 16))
    for direction in directions / np.linalg.norm(directions, axis=1, keepdims=True):
        assert divergence(0.3 * direction).mean() < value


def test_virtual_adversarial_gives_the_clean_output_no_gradient():
    def loss(scale):
        discriminate = lambda images, labels: two_class_discriminator(images * scale, labels)  # noqa: E731
        return semi_supervised.virtual_adversarial(
            linear_inputs()._replace(discriminate=discriminate), radius=0.3, probe=0.01, target="own"
        )

    clean_logits = two_class_discriminator(linear_inputs().batch.images, None).class_logits

    def loss_with_constants(scale):
        """The same loss, with the output for the clean images and the direction as constants."""
        class_logits = lambda images: two_class_discriminator(images * scale, None).class_logits  # noqa: E731
        p = jax.nn.log_softmax(clean_logits)
        return jnp.mean(
            jnp.sum(
                jnp.exp(p) * (p - jax.nn.log_softmax(class_logits(linear_inputs().batch.images + perturbation))), axis=1
            )
        )

    difference = W - jnp.eye(16)[0]
    for flips in itertools.product((1, -1), repeat=6):
        perturbation = (0.3 * difference / jnp.linalg.norm(difference)).reshape(1, 4, 4, 1)
        perturbation = perturbation * jnp.array(flips).reshape(6, 1, 1, 1)
        if loss_with_constants(1.0) == pytest.approx(float(loss(1.0)), rel=1e-4):
            assert jax.grad(loss_with_constants)(1.0) == pytest.approx(float(jax.grad(loss)(1.0)), rel=1e-3)
            return
    raise AssertionError("no choice of signs gives the term's value")
