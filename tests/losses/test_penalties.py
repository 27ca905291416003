"""Penalties of discriminators whose outputs and gradients are known by hand."""

import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

from gan_jax.gan.types import DiscriminatorOutput, Progress
from gan_jax.losses import penalties
from gan_jax.losses.term import Term
from gan_jax.losses.weighted_sum import RampUp, weighted_sum
from gan_jax.networks import heads
from tests.gan import tiny_gan
from tests.losses.linear import W, linear_inputs


def test_gradient_penalties_of_a_linear_discriminator():
    norm = float(jnp.linalg.norm(W))
    assert penalties.r1(linear_inputs()) == pytest.approx(norm**2 / 2, rel=1e-5)
    assert penalties.r2(linear_inputs()) == pytest.approx(norm**2 / 2, rel=1e-5)
    assert penalties.gradient_penalty(linear_inputs()) == pytest.approx((norm - 1) ** 2, rel=1e-4)
    assert penalties.dragan(linear_inputs()) == pytest.approx((norm - 1) ** 2, rel=1e-4)
    assert penalties.lipschitz_penalty(linear_inputs()) == pytest.approx((norm - 1) ** 2, rel=1e-4)


def test_the_lipschitz_penalty_is_0_for_small_slopes():
    flat = lambda images, labels: quadratic_discriminator(0.01 * images, labels)  # noqa: E731
    assert penalties.lipschitz_penalty(linear_inputs()._replace(discriminate=flat)) == 0


def test_mutual_information_by_hand():
    """The codes are the first two entries of z, which are all of them here."""
    inputs = linear_inputs()
    z, predicted = np.asarray(inputs.z, np.float64), np.asarray(inputs.fake.extras["codes"], np.float64)
    expected = np.mean([sum((a - b) ** 2) / 2 for a, b in zip(z, predicted, strict=True)])
    assert penalties.mutual_information(inputs) == pytest.approx(expected, rel=1e-5)


def quadratic_discriminator(images, labels):
    """logit = |x|^2 / 2. Its gradient at x is x, so the value of a penalty shows at which x it was computed."""
    features = images.reshape(len(images), -1)
    return DiscriminatorOutput(0.5 * jnp.sum(features**2, axis=1), features)


def test_gradient_penalties_are_computed_at_the_documented_images():
    inputs = linear_inputs()._replace(discriminate=quadratic_discriminator)
    real, fake = (np.asarray(batch.images, np.float64).reshape(6, -1) for batch in (inputs.batch, inputs.fakes))
    assert penalties.r1(inputs) == pytest.approx(0.5 * (real**2).sum(axis=1).mean(), rel=1e-5)
    assert penalties.r2(inputs) == pytest.approx(0.5 * (fake**2).sum(axis=1).mean(), rel=1e-5)
    mix = np.asarray(jax.random.uniform(inputs.key, (6, 1, 1, 1)), np.float64).reshape(6, 1)
    norms = np.linalg.norm(mix * real + (1 - mix) * fake, axis=1)
    assert penalties.gradient_penalty(inputs) == pytest.approx(((norms - 1) ** 2).mean(), rel=1e-5)
    # Each pixel of a DRAGAN point is between x and x + std(x) / 2.
    traced_images = []
    recorded = lambda images, labels: traced_images.append(images) or quadratic_discriminator(images, labels)  # noqa: E731
    penalties.dragan(inputs._replace(discriminate=recorded))
    (traced,) = traced_images
    assert traced.shape == inputs.batch.images.shape
    low, high = real, real + 0.5 * real.std()
    bounds = [((np.linalg.norm(x, axis=1) - 1) ** 2).mean() for x in (low, high)]
    assert penalties.dragan(inputs) != pytest.approx(bounds[0], rel=1e-3)
    corners = np.maximum(np.abs(low), np.abs(high))
    assert penalties.dragan(inputs) < ((np.linalg.norm(corners, axis=1) - 1) ** 2).mean()


def test_r1_r2_is_the_sum_of_both():
    inputs = linear_inputs()._replace(discriminate=quadratic_discriminator)
    assert penalties.r1_r2(inputs) == pytest.approx(float(penalties.r1(inputs) + penalties.r2(inputs)), rel=1e-6)


def test_lecam_by_hand():
    """D's outputs for real images are compared with the mean of the fakes, and the other way round."""
    inputs = linear_inputs()._replace(progress=Progress(0, {"mean_real_logit": 2.0, "mean_fake_logit": -1.0}))
    real, fake = (np.asarray(output.logits, np.float64) for output in (inputs.real, inputs.fake))
    expected = np.mean((real + 1.0) ** 2) + np.mean((fake - 2.0) ** 2)
    assert penalties.lecam(inputs, decay=0.99) == pytest.approx(expected, rel=1e-5)


def test_consistency_compares_an_image_with_its_distortion():
    """T adds 0.5 to every pixel, which adds half the sum of the weights to the logit of a linear discriminator."""
    assert penalties.consistency(linear_inputs()) == pytest.approx((0.5 * float(W.sum())) ** 2, rel=1e-4)
    assert penalties.consistency(linear_inputs()._replace(distort=lambda key, images: images)) == 0


def test_historical_averaging_by_hand():
    """(1 - 0)^2 + (2 - 2.5)^2 + (3 - 1)^2."""
    assert penalties.historical_averaging(linear_inputs()) == pytest.approx(5.25)


def test_feature_matching_is_between_batch_means():
    inputs = linear_inputs()
    real, fake = (np.asarray(output.features) for output in (inputs.real, inputs.fake))
    expected = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    assert penalties.feature_matching(inputs) == pytest.approx(expected, rel=1e-5)
    shuffled = inputs._replace(fake=inputs.fake._replace(features=inputs.fake.features[::-1]))
    assert penalties.feature_matching(shuffled) == pytest.approx(expected, rel=1e-5)


def test_pull_away_by_a_loop():
    inputs = linear_inputs()
    f = np.asarray(inputs.fake.features, np.float64)
    cosines = [
        f[i] @ f[j] / np.linalg.norm(f[i]) / np.linalg.norm(f[j]) for i, j in itertools.permutations(range(6), 2)
    ]
    assert penalties.pull_away(inputs) == pytest.approx(np.mean(np.square(cosines)), rel=1e-4)


def test_low_density_equals_kernel_densities_by_scipy():
    inputs = linear_inputs()
    real, fake = (np.asarray(output.features, np.float64) for output in (inputs.real, inputs.fake))
    distances = np.linalg.norm(real[:, None] - real, axis=-1) + np.diag([np.inf] * 6)
    h = np.sqrt(np.mean(distances.min(axis=1) ** 2))

    def log_p(points, at):
        kernels = [scipy.stats.multivariate_normal(point, h**2).logpdf(at) for point in points]
        return np.logaddexp.reduce(kernels) - np.log(len(points))

    bound = np.quantile([log_p(np.delete(real, i, axis=0), real[i]) for i in range(6)], 0.4)
    expected = np.mean([max(log_p(real, point) - bound, 0) for point in fake])
    assert expected > 0
    assert penalties.low_density(inputs, quantile=0.4) == pytest.approx(expected, rel=1e-4)


@pytest.mark.thorough
def test_low_density_moves_generated_features_away_from_real_ones():
    real_features = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)

    def loss(fake):
        real, fake = (SimpleNamespace(features=features) for features in (real_features, fake))
        return penalties.low_density(SimpleNamespace(real=real, fake=fake))

    inside, outside = 0.1 * real_features[:20] + 0.05, 20 + real_features[:20]
    assert loss(outside) == 0
    np.testing.assert_array_equal(jax.grad(loss)(outside), 0)
    moved = inside
    for _ in range(50):
        moved = moved - 0.5 * jax.grad(loss)(moved)
    assert loss(moved) < loss(inside)
    assert np.linalg.norm(moved, axis=1).mean() > np.linalg.norm(inside, axis=1).mean() + 0.2


def test_class_head_is_the_k_plus_one_softmax():
    """sigmoid(logsumexp(l)) = 1 - p(fake) of a softmax over K + 1 classes whose fake logit is 0."""
    head = heads.Class(4, jax.nn.initializers.normal(1.0))
    features = jax.random.normal(jax.random.key(0), (5, 7))
    output, _ = head.init_with_output(jax.random.key(1), features, jnp.zeros((5,), jnp.int32), True)
    softmax = jax.nn.softmax(jnp.pad(output.class_logits, ((0, 0), (0, 1))), axis=-1)
    np.testing.assert_allclose(jax.nn.sigmoid(output.logits), 1 - softmax[:, -1], rtol=1e-5)


def test_orthogonal_by_hand():
    """The sum over all pairs of different columns of a kernel of (w_i . w_j)^2; nothing else is regularised."""
    rng = np.random.default_rng(0)
    conv, dense = rng.normal(size=(3, 3, 2, 4)), rng.normal(size=(5, 3))
    others = {"bias": rng.normal(size=4), "scale": {"embedding": rng.normal(size=(3, 4))}}
    params = {"Conv_0": {"kernel": conv, **others}, "a": {"b": {"kernel": dense}}}
    expected = 0
    for kernel in (conv, dense):
        columns = [kernel[..., i].ravel() for i in range(kernel.shape[-1])]
        expected += sum(2 * np.dot(a, b) ** 2 for a, b in itertools.combinations(columns, 2))
    inputs = linear_inputs()
    assert penalties.orthogonal(inputs._replace(params=params)) == pytest.approx(expected, rel=1e-5)
    orthogonal = {"kernel": 3 * np.linalg.qr(rng.normal(size=(6, 4)))[0].reshape(3, 2, 4)}
    assert penalties.orthogonal(inputs._replace(params=orthogonal)) == pytest.approx(0, abs=1e-8)
    assert penalties.orthogonal(inputs) == 0  # These parameters contain no kernel.


def test_weighted_sum_drops_zero_weights_and_names_its_terms():
    def forbidden(_):
        raise AssertionError("a term of weight 0 was computed")

    three, four = Term(lambda inputs: jnp.float32(3.0), "d"), Term(lambda inputs: jnp.float32(4.0), "d")
    terms = {"a": (2.0, three), "b": (0.5, four), "c": (0.0, Term(forbidden, "d"))}
    total, metrics = weighted_sum("d", terms)(linear_inputs())
    assert total == 8.0
    assert {name: float(value) for name, value in metrics.items()} == {"d_loss": 8.0, "d_a": 3.0, "d_b": 4.0}
    _, g_metrics = weighted_sum("g", {"a": terms["a"]})(linear_inputs())
    assert list(g_metrics) == ["g_loss"]


@pytest.mark.parametrize(("step", "share"), [(0, 0.0067379), (25, 0.0600547), (50, 0.2865048), (100, 1.0), (400, 1.0)])
@pytest.mark.parametrize("start", [0, 30])
def test_unlabelled_terms_ramp_up(step, share, start):
    ramped, constant = Term(lambda inputs: jnp.array(8.0), "d", ramps=True), Term(lambda inputs: jnp.array(1.0), "d")
    terms = {"entropy": (0.5, ramped), "r1": (2.0, constant)}
    loss = weighted_sum("d", terms, RampUp(start, 100))
    total, metrics = loss(linear_inputs()._replace(progress=Progress(jnp.array(start + step))))
    np.testing.assert_allclose(total, 0.5 * 8 * share + 2, rtol=1e-5)
    assert metrics["d_entropy"] == 8.0
    without_ramp_up, _ = weighted_sum("d", terms)(linear_inputs())
    assert without_ramp_up == 6.0


def test_a_ramped_term_and_its_gradient_are_0_before_its_start():
    def loss(x, step):
        # The term is NaN before step 5. If it were computed and multiplied by 0, the sum would be NaN.
        ramped = Term(lambda inputs: jnp.log(x) / jnp.maximum(inputs.progress.step - 4, 0), "d", ramps=True)
        terms = {"entropy": (0.5, ramped), "r1": (2.0, Term(lambda inputs: x, "d"))}
        return weighted_sum("d", terms, RampUp(5, 0))(linear_inputs()._replace(progress=Progress(step)))

    value_and_gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (before, metrics), gradient = value_and_gradient(3.0, jnp.array(4))
    assert (before, gradient, metrics["d_entropy"]) == (6.0, 2.0, 0.0)
    (after, metrics), gradient = value_and_gradient(3.0, jnp.array(5))
    np.testing.assert_allclose((after, gradient), (6 + np.log(3) / 2, 2 + 1 / 6), rtol=1e-6)
    np.testing.assert_allclose(metrics["d_entropy"], np.log(3), rtol=1e-6)


def test_a_lazy_penalty_is_computed_at_every_fourth_step_with_four_times_its_weight():
    def loss(x, step, every):
        # At the other steps, the penalty is NaN. If it were computed and multiplied by 0, the sum would be NaN.
        penalty = Term(lambda inputs: jnp.log(x) / (inputs.progress.step % 4 == 0), "d", per_example=True)
        terms = {"adversarial": (1.0, Term(lambda inputs: x, "d")), "r1": (0.5, penalty)}
        inputs = linear_inputs()._replace(progress=Progress(step))
        return weighted_sum("d", terms, penalty_every=every)(inputs)

    run = jax.jit(jax.value_and_grad(loss, has_aux=True), static_argnums=2)
    for step in range(6):
        (total, metrics), gradient = run(3.0, jnp.array(step), 4)
        factor = 4 if step in (0, 4) else 0
        np.testing.assert_allclose(metrics["d_r1"], factor * np.log(3), rtol=1e-6)
        np.testing.assert_allclose(total, 3 + 0.5 * factor * np.log(3), rtol=1e-6)
        np.testing.assert_allclose(gradient, 1 + 0.5 * factor / 3, rtol=1e-6)
    # 1 is the program without this setting.
    text = str(jax.make_jaxpr(loss, static_argnums=2)(3.0, jnp.array(0), 1))
    assert "cond" not in text
    assert "cond" in str(jax.make_jaxpr(loss, static_argnums=2)(3.0, jnp.array(0), 4))


def test_other_terms_are_not_lazy():
    term = Term(lambda inputs: jnp.array(3.0), "d")
    loss = weighted_sum("d", {"lecam": (2.0, term)}, penalty_every=4)
    assert loss(linear_inputs()._replace(progress=Progress(jnp.array(1))))[0] == 6


@pytest.mark.thorough
def test_the_mean_of_a_lazy_penalty_is_that_of_the_penalty():
    """Steps of one GAN, all from the same state: the penalty of a step is that of every step, four times or never."""
    changes = {"generator__norm": "none", "d_loss__r1": "linear:1:3", "d_steps": 2}
    every, state = tiny_gan.make(**changes)
    lazy, _ = tiny_gan.make(**changes, penalty_every=4)
    step = jax.jit(lambda gan, state: gan.step(state, tiny_gan.batches(2), jax.random.key(0))[1], static_argnums=0)
    for number in range(5):
        state = state._replace(step=jnp.array(number))
        expected, metrics = step(every, state), step(lazy, state)
        # The second update of a step starts from other parameters, because the first one had another penalty.
        assert (metrics["d_r1"] == 0) == bool(number % 4)
        if number % 4 == 0:
            np.testing.assert_allclose(metrics["d_r1"], 4 * expected["d_r1"], rtol=0.01)
        weight = 1 + 2 * number / 5
        total = metrics["d_adversarial"] + weight * metrics["d_r1"]
        np.testing.assert_allclose(metrics["d_loss"], total, rtol=1e-5)
