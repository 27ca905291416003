"""Targets: their distributions, which player they are for, refusals, and their effect on the losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.losses.targets import PLAIN, make_targets, require_plain
from gan_jax.system.errors import UserError

NUM_IMAGES = 20_000
KEY = jax.random.key(3)
REAL, FAKE = jnp.array([2.0, -0.5, 0.0, 4.0]), jnp.array([-3.0, 0.5, 1.0, -0.25])


def draw(key=KEY, num_images=NUM_IMAGES, **knobs):
    return make_targets(**{**PLAIN, **knobs})(key, num_images)


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, (1.0, 0.0, 1.0)),
        ({"real": 0.9}, (0.9, 0.0, 1.0)),
        ({"real": 0.9, "fake": 0.1}, (0.9, 0.1, 1.0)),
        ({"generator": 0.8}, (1.0, 0.0, 0.8)),
        ({"inverted": True}, (0.0, 1.0, 0.0)),
        ({"real": 0.9, "fake": 0.2, "generator": 0.7, "inverted": True}, (0.1, 0.8, 0.3)),
    ],
)
def test_constant_targets_need_no_key(knobs, expected):
    for target, value in zip(draw(key=None, num_images=3, **knobs), expected, strict=True):
        assert target.shape == (3,)
        assert target.dtype == jnp.float32
        np.testing.assert_allclose(target, value, rtol=1e-6)


@pytest.mark.parametrize(
    ("knobs", "real", "fake"),
    [
        ({}, (0.9, 1.0), (0.0, 0.1)),
        ({"real": 0.9, "fake": 0.2}, (0.8, 0.9), (0.2, 0.3)),
        ({"inverted": True}, (0.0, 0.1), (0.9, 1.0)),
    ],
)
def test_soft_targets_fill_their_ranges(knobs, real, fake):
    targets = draw(soft=0.1, **knobs)
    for values, (low, high) in ((targets.real, real), (targets.fake, fake)):
        assert values.min() == pytest.approx(low, abs=1e-4)
        assert values.max() == pytest.approx(high, abs=1e-4)
        assert values.min() >= low - 1e-6
        assert values.max() <= high + 1e-6
        # Uniform: the quartiles are evenly spaced. Their standard error is 0.1 * sqrt(3 / 16 / N) = 0.0003.
        quartiles = np.linspace(low, high, 5)[1:-1]
        np.testing.assert_allclose(np.quantile(values, [0.25, 0.5, 0.75]), quartiles, atol=0.0015)
    assert abs(np.corrcoef(targets.real, targets.fake)[0, 1]) < 0.04


@pytest.mark.parametrize("rate", [0.05, 0.5])
@pytest.mark.parametrize("inverted", [False, True])
def test_flips_are_independent_and_have_the_right_rate(rate, inverted):
    targets = draw(flip_rate=rate, inverted=inverted)
    real_flipped, fake_flipped = targets.real == float(inverted), targets.fake == float(not inverted)
    # Only the two values occur.
    np.testing.assert_array_equal(targets.real, jnp.where(real_flipped, float(inverted), float(not inverted)))
    np.testing.assert_array_equal(targets.fake, jnp.where(fake_flipped, float(not inverted), float(inverted)))
    within = 5 * np.sqrt(rate * (1 - rate) / NUM_IMAGES)
    for flipped, share in ((real_flipped, rate), (fake_flipped, rate), (real_flipped & fake_flipped, rate**2)):
        assert flipped.mean() == pytest.approx(share, abs=within)


def test_every_target_is_exchanged_at_a_rate_of_one():
    targets = draw(num_images=50, real=0.9, fake=0.2, flip_rate=1.0)
    np.testing.assert_allclose(targets.real, 0.2)
    np.testing.assert_allclose(targets.fake, 0.9)


def test_a_flipped_soft_target_is_a_soft_target_of_the_other_kind():
    targets = draw(soft=0.1, flip_rate=0.25)
    for values, high in ((targets.real, 0.75), (targets.fake, 0.25)):
        assert (values > 0.5).mean() == pytest.approx(high, abs=0.02)
        # Within the range, the value of a target is independent of whether it is flipped.
        assert values[values > 0.5].mean() == pytest.approx(0.95, abs=0.003)
        assert values[values < 0.5].mean() == pytest.approx(0.05, abs=0.003)
        assert bool(jnp.all((values <= 0.1) | (values >= 0.9)))


@pytest.mark.parametrize("inverted", [False, True])
def test_the_generators_target_is_never_random(inverted):
    targets = draw(generator=0.8, soft=0.3, flip_rate=0.5, inverted=inverted)
    np.testing.assert_allclose(targets.generator, 0.2 if inverted else 0.8, rtol=1e-6)


def test_draws_depend_on_the_key_alone():
    """The same under compilation, and other values under another key."""
    targets = make_targets(**{**PLAIN, "soft": 0.1, "flip_rate": 0.1})
    first, compiled = targets(KEY, 64), jax.jit(targets, static_argnums=1)(KEY, 64)
    for a, b in zip(first, compiled, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    other = targets(jax.random.key(4), 64)
    assert not np.array_equal(first.real, other.real)
    assert not np.array_equal(first.fake, other.fake)


@pytest.mark.parametrize(
    ("knob", "value"), [("soft", -0.1), ("soft", float("nan")), ("flip_rate", -0.01), ("flip_rate", 5.0)]
)
def test_values_out_of_range_are_refused(knob, value):
    with pytest.raises(UserError, match=rf"^config\.targets\.{knob}={value}.*--config\.targets\.{knob}=0\.") as refusal:
        draw(**{knob: value})
    assert "\n" not in str(refusal.value)


def test_only_plain_targets_suit_an_objective_without_targets():
    require_plain("hinge", PLAIN)
    with pytest.raises(UserError) as refusal:
        require_plain("hinge", {**PLAIN, "real": 0.9, "inverted": True})
    message = str(refusal.value)
    assert "objective='hinge'" in message
    assert message.endswith("set --config.targets.real=1.0 --config.targets.inverted=false")


def test_one_sided_smoothing_moves_the_optimum_and_leaves_the_generator():
    """With real targets of 0.9, the loss of real logits has its minimum at sigmoid = 0.9."""
    smooth = draw(num_images=1, real=0.9)
    loss = lambda x: OBJECTIVES["bce_logits"].discriminator(x, jnp.full((1,), -50.0), smooth)  # noqa: E731
    np.testing.assert_allclose(jax.grad(loss)(jnp.log(jnp.array([9.0]))), 0.0, atol=1e-6)
    assert smooth.generator[0] == 1.0


@pytest.mark.parametrize(
    "name", ["bce", "bce_logits", "cross_entropy_two_logits", "saturating", "relativistic_average"]
)
def test_inverted_targets_mirror_the_losses(name):
    """With inverted targets, the loss of the logits -l equals the loss of l with the targets not inverted."""
    knobs = {"num_images": 4, "real": 0.9, "fake": 0.2, "generator": 0.95}
    plain, inverted = draw(**knobs), draw(**knobs, inverted=True)
    for loss in OBJECTIVES[name][:2]:
        np.testing.assert_allclose(loss(-REAL, -FAKE, inverted), loss(REAL, FAKE, plain), rtol=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_targets_change_the_objectives_that_use_them(name):
    """And not for the loss that is 0 everywhere."""
    objective, other_targets = OBJECTIVES[name], draw(num_images=4, real=0.7, fake=0.2, generator=0.6)
    changes = any(loss(REAL, FAKE, draw(num_images=4)) != loss(REAL, FAKE, other_targets) for loss in objective[:2])
    assert changes == (objective.uses_targets and name != "cross_entropy")
