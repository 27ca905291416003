"""Extra terms on critics whose answer is known by hand."""

import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.losses import penalties
from gan_jax.losses.term import Term
from gan_jax.losses.weighted_sum import RampUp, weighted_sum
from gan_jax.networks import heads
from tests.losses.views import W, view


def test_penalties_of_a_linear_critic():
    norm = float(jnp.linalg.norm(W))
    assert penalties.r1(view()) == pytest.approx(norm**2 / 2, rel=1e-5)
    assert penalties.r2(view()) == pytest.approx(norm**2 / 2, rel=1e-5)
    assert penalties.gradient_penalty(view()) == pytest.approx((norm - 1) ** 2, rel=1e-4)
    assert penalties.dragan(view()) == pytest.approx((norm - 1) ** 2, rel=1e-4)


def quadratic_critic(images, labels):
    """logit = |x|^2 / 2, so that the slope at x is x itself: a penalty shows where it was taken."""
    features = images.reshape(len(images), -1)
    return DiscriminatorOutput(0.5 * jnp.sum(features**2, axis=1), features)


def test_penalties_are_taken_where_they_say():
    v = view()._replace(discriminate=quadratic_critic)
    real, fake = (np.asarray(batch.images, np.float64).reshape(6, -1) for batch in (v.batch, v.fakes))
    assert penalties.r1(v) == pytest.approx(0.5 * (real**2).sum(axis=1).mean(), rel=1e-5)
    assert penalties.r2(v) == pytest.approx(0.5 * (fake**2).sum(axis=1).mean(), rel=1e-5)
    mix = np.asarray(jax.random.uniform(v.key, (6, 1, 1, 1)), np.float64).reshape(6, 1)
    norms = np.linalg.norm(mix * real + (1 - mix) * fake, axis=1)
    assert penalties.gradient_penalty(v) == pytest.approx(((norms - 1) ** 2).mean(), rel=1e-5)
    # DRAGAN's points lie between x and x + std(x) / 2 in every pixel.
    slopes = []
    linear = lambda images, labels: slopes.append(images) or quadratic_critic(images, labels)  # noqa: E731
    penalties.dragan(v._replace(discriminate=linear))
    (traced,) = slopes
    assert traced.shape == v.batch.images.shape
    low, high = real, real + 0.5 * real.std()
    bounds = [((np.linalg.norm(x, axis=1) - 1) ** 2).mean() for x in (low, high)]
    assert penalties.dragan(v) != pytest.approx(bounds[0], rel=1e-3)
    corners = np.maximum(np.abs(low), np.abs(high))
    assert penalties.dragan(v) < ((np.linalg.norm(corners, axis=1) - 1) ** 2).mean()


def test_consistency_compares_an_image_with_its_distortion():
    """T adds 0.5 to every pixel, which a linear critic sees as half the sum of its weights."""
    assert penalties.consistency(view()) == pytest.approx((0.5 * float(W.sum())) ** 2, rel=1e-4)
    assert penalties.consistency(view()._replace(distort=lambda key, images: images)) == 0


def test_historical_averaging_by_hand():
    """(1 - 0)^2 + (2 - 2.5)^2 + (3 - 1)^2."""
    assert penalties.historical_averaging(view()) == pytest.approx(5.25)


def test_feature_matching_is_between_batch_means():
    v = view()
    real, fake = (np.asarray(critique.features) for critique in (v.real, v.fake))
    expected = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    assert penalties.feature_matching(v) == pytest.approx(expected, rel=1e-5)
    shuffled = v._replace(fake=v.fake._replace(features=v.fake.features[::-1]))
    assert penalties.feature_matching(shuffled) == pytest.approx(expected, rel=1e-5)


def test_pull_away_by_a_loop():
    v = view()
    f = np.asarray(v.fake.features, np.float64)
    cosines = [
        f[i] @ f[j] / np.linalg.norm(f[i]) / np.linalg.norm(f[j]) for i, j in itertools.permutations(range(6), 2)
    ]
    assert penalties.pull_away(v) == pytest.approx(np.mean(np.square(cosines)), rel=1e-4)


def test_low_density_by_scipys_kernel_density():
    v = view()
    real, fake = (np.asarray(look.features, np.float64) for look in (v.real, v.fake))
    distances = np.linalg.norm(real[:, None] - real, axis=-1) + np.diag([np.inf] * 6)
    h = np.sqrt(np.mean(distances.min(axis=1) ** 2))

    def log_p(points, at):
        kernels = [scipy.stats.multivariate_normal(point, h**2).logpdf(at) for point in points]
        return np.logaddexp.reduce(kernels) - np.log(len(points))

    bound = np.quantile([log_p(np.delete(real, i, axis=0), real[i]) for i in range(6)], 0.4)
    expected = np.mean([max(log_p(real, point) - bound, 0) for point in fake])
    assert expected > 0
    assert penalties.low_density(v, quantile=0.4) == pytest.approx(expected, rel=1e-4)


def test_low_density_drives_generated_features_out_of_the_crowd():
    crowd = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)

    def loss(fake):
        real, fake = (SimpleNamespace(features=features) for features in (crowd, fake))
        return penalties.low_density(SimpleNamespace(real=real, fake=fake))

    inside, outside = 0.1 * crowd[:20] + 0.05, 20 + crowd[:20]
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
    critique, _ = head.init_with_output(jax.random.key(1), features, jnp.zeros((5,), jnp.int32), True)
    softmax = jax.nn.softmax(jnp.pad(critique.class_logits, ((0, 0), (0, 1))), axis=-1)
    np.testing.assert_allclose(jax.nn.sigmoid(critique.logits), 1 - softmax[:, -1], rtol=1e-5)


def test_weighted_sum_drops_zero_weights_and_names_its_parts():
    def forbidden(_):
        raise AssertionError("a term of weight 0 was computed")

    three, four = Term(lambda v: jnp.float32(3.0), "d"), Term(lambda v: jnp.float32(4.0), "d")
    parts = {"a": (2.0, three), "b": (0.5, four), "c": (0.0, Term(forbidden, "d"))}
    total, metrics = weighted_sum("d", parts)(view())
    assert total == 8.0
    assert {name: float(value) for name, value in metrics.items()} == {"d_loss": 8.0, "d_a": 3.0, "d_b": 4.0}
    _, alone = weighted_sum("g", {"a": parts["a"]})(view())
    assert list(alone) == ["g_loss"]


@pytest.mark.parametrize(("step", "share"), [(0, 0.0067379), (25, 0.0600547), (50, 0.2865048), (100, 1.0), (400, 1.0)])
@pytest.mark.parametrize("start", [0, 30])
def test_unlabelled_terms_ramp_up(step, share, start):
    late, whole = Term(lambda view: jnp.array(8.0), "d", ramps=True), Term(lambda view: jnp.array(1.0), "d")
    parts = {"entropy": (0.5, late), "r1": (2.0, whole)}
    loss = weighted_sum("d", parts, RampUp(start, 100))
    total, metrics = loss(view()._replace(step=jnp.array(start + step)))
    np.testing.assert_allclose(total, 0.5 * 8 * share + 2, rtol=1e-5)
    assert metrics["d_entropy"] == 8.0
    at_once, _ = weighted_sum("d", parts)(view())
    assert at_once == 6.0


def test_a_late_term_and_its_gradient_are_nothing_before_its_start():
    def loss(x, step):
        # Not a number before step 5: were it computed and weighted by 0, it would spoil the sum.
        late = Term(lambda view: jnp.log(x) / jnp.maximum(view.step - 4, 0), "d", ramps=True)
        parts = {"entropy": (0.5, late), "r1": (2.0, Term(lambda view: x, "d"))}
        return weighted_sum("d", parts, RampUp(5, 0))(view()._replace(step=step))

    slope = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (before, metrics), gradient = slope(3.0, jnp.array(4))
    assert (before, gradient, metrics["d_entropy"]) == (6.0, 2.0, 0.0)
    (after, metrics), gradient = slope(3.0, jnp.array(5))
    np.testing.assert_allclose((after, gradient), (6 + np.log(3) / 2, 2 + 1 / 6), rtol=1e-6)
    np.testing.assert_allclose(metrics["d_entropy"], np.log(3), rtol=1e-6)
