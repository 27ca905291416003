"""Settings that change during training: schedules, and probabilities that follow D's outputs."""

import contextlib
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.gan import tracking, values
from gan_jax.gan.types import DiscriminatorOutput, Progress
from gan_jax.runs.checkpoint import Checkpoints
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from tests.gan.tiny_gan import SIZE, batches, equal, make


def value_at(setting, step, total=100):
    return float(values.at(values.make_value(setting, total, "knob"), Progress(jnp.array(step))))


@pytest.mark.parametrize(
    ("setting", "step", "expected"),
    [
        (0.3, 50, 0.3),
        ("linear:1:3", 0, 1),
        ("linear:1:3", 25, 1.5),
        ("linear:1:3", 100, 3),
        ("linear:1:3", 500, 3),
        ("linear:0:1:0.1", 5, 0.5),
        ("linear:0:1:0.1", 50, 1),
        ("cosine:0.05:0.005", 0, 0.05),
        ("cosine:0.05:0.005", 50, 0.0275),
        ("cosine:0.05:0.005", 30, 0.005 + 0.045 * (1 + math.cos(0.3 * math.pi)) / 2),
        ("cosine:0.05:0.005", 100, 0.005),
        ("exponential:1:0.01", 50, 0.1),
    ],
)
def test_a_schedule_by_hand(setting, step, expected):
    assert value_at(setting, step) == pytest.approx(expected, rel=1e-5)
    low, high = values.bounds(setting, "knob")
    assert low * (1 - 1e-6) <= value_at(setting, step) <= high * (1 + 1e-6)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cosin:1:2", "knob='cosin' is unknown; did you mean cosine"),
        ("cosine:1", "knob=cosine:1: write a number, or cosine:0.05:0.005"),
        ("cosine:1:x", "knob=cosine:1:x: write a number"),
        ("cosine:1:2:0.5:9", "write a number"),
        ("linear:1:2:0", "a share of the run above 0"),
        ("linear:1:nan", "its numbers are two values"),
        ("exponential:1:0", "between numbers above 0; take linear"),
        ("adaptive:", "write a number, or adaptive:0.6"),
        ("adaptive:2", "the target must be between -1 and 1"),
        ("adaptive:0.6:0", "the number of images at least 1"),
    ],
)
def test_a_wrong_setting_is_refused_in_a_line(setting, message):
    with pytest.raises(UserError, match=message):
        values.make_value(setting, 100, "knob")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("d_loss.r1", "cosine:0.05:0.005", "cosine:0.05:0.005"),
        ("d_loss.r1", "2", 2.0),
        ("d_optimizer.b2", "cosine:0.9:0.99", "cosine:0.9:0.99"),
        ("generator.ema_half_life", "500", 500.0),
        ("generator.ema_half_life", "none", None),
        ("augmentation.probability", "adaptive:0.6", "adaptive:0.6"),
    ],
)
def test_the_command_line_sets_numbers_and_schedules_one_after_the_other(key, text, value):
    config = configs.defaults()
    for earlier in ("linear:0:1", "0.5", "linear:0:1"):
        configs.override(config, {key: earlier}, parse=True)
    configs.override(config, {key: text}, parse=True)
    assert configs.leaves(config)[key] == value


@pytest.mark.parametrize(
    ("key", "text"), [("d_loss.r1", "much"), ("batch_size", "linear:1:2"), ("targets.soft", "1:2")]
)
def test_other_texts_are_refused(key, text):
    with pytest.raises(UserError, match=f"--config.{key}={text}: expected"):
        configs.override(configs.defaults(), {key: text}, parse=True)


def output(logits):
    return DiscriminatorOutput(jnp.asarray(logits, jnp.float32), jnp.zeros((len(logits), 1)))


def test_the_probability_of_ada_by_hand():
    """4 images of 100: p moves by 0.04 towards the side on which the mean sign (0.5, then -1) is of the target."""
    tracker = tracking.probability(0.4, 100)
    p = jnp.array(tracker.initial)
    path = []
    for real in ([1, 2, 3, -1], [1, 2, 3, -1], [-1, -1, -1, -1], [-1] * 4, [-1] * 4):
        p = tracker.update(p, output(real), output([9.0] * 4))
        path.append(float(p))
    np.testing.assert_allclose(path, [0.04, 0.08, 0.04, 0, 0], atol=1e-7)
    assert float(tracker.update(jnp.array(0.99), output([1] * 4), output([1] * 4))) == 1


def test_a_mean_logit_is_a_moving_average():
    real, fake = tracking.mean_logit("real", 0.9), tracking.mean_logit("fake", 0.9)
    assert float(real.update(jnp.array(1.0), output([2, 4]), output([0, 0]))) == pytest.approx(0.9 + 0.3)
    assert float(fake.update(jnp.array(1.0), output([2, 4]), output([-1, -3]))) == pytest.approx(0.9 - 0.2)


ADAPTIVE = {"augmentation__differentiable": "color", "objective": "bce_logits"}


def test_adaptive_augmentation_starts_at_0_and_follows_d():
    """With a target of -0.99, D's outputs are always above it: p grows by B / num_images in every update of D."""
    gan, state = make(augmentation__probability="adaptive:-0.99:24", d_steps=2, **ADAPTIVE)
    assert state.discriminator.tracked == {"augmentation_probability": 0}
    state, metrics = jax.jit(gan.step)(state, batches(2), jax.random.key(0))
    assert float(state.discriminator.tracked["augmentation_probability"]) == pytest.approx(2 * SIZE / 24)
    assert float(metrics["d_augmentation_probability"]) == pytest.approx(1.5 * SIZE / 24), "the mean over the updates"
    assert state.generator.tracked == {}


def d_real(key=0, **changes):
    """What D says of the real images in the first update: it shows whether D sees them as they are."""
    gan, state = make(**changes)
    return float(jax.jit(gan.step)(state, batches(), jax.random.key(key))[1]["d_real"])


@pytest.mark.thorough
def test_a_probability_of_0_changes_nothing_and_of_1_everything():
    never = d_real(augmentation__probability=0.0, **ADAPTIVE)
    plain = d_real(objective="bce_logits")
    assert never == plain != d_real(**ADAPTIVE)
    assert d_real(augmentation__probability=1.0, **ADAPTIVE) == d_real(**ADAPTIVE)
    assert d_real(augmentation__probability="linear:0:1", **ADAPTIVE) == plain, "at step 0"


def test_each_image_gets_a_change_with_the_probability():
    gan, _ = make(augmentation__probability=0.3, **ADAPTIVE)
    images = jnp.zeros((4000, 2, 2, 1))
    changed = gan.augment(jax.random.key(0), images, Progress(jnp.array(0)))
    share = float(jnp.mean(jnp.any(changed != 0, axis=(1, 2, 3))))
    assert abs(share - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 4000)


def test_pseudo_real_images_are_fakes_in_updates_of_d_only():
    gan, _ = make(augmentation__pseudo=0.25)
    real, fakes, progress = jnp.zeros((4000, 1, 1, 1)), jnp.ones((4000, 1, 1, 1)), Progress(jnp.array(0))
    share = float(jnp.mean(gan.augment_real(jax.random.key(0), real, fakes, progress)))
    assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 4000)
    np.testing.assert_array_equal(gan.augment_real(jax.random.key(0), real, None, progress), real)


def test_pseudo_1_shows_d_only_fakes():
    gan, state = make(augmentation__pseudo=1.0, generator__norm="none")
    metrics = jax.jit(gan.step)(state, batches(), jax.random.key(0))[1]
    assert float(metrics["d_real"]) == pytest.approx(float(metrics["d_fake"]), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augmentation__probability": 0.5}, "does nothing without changes"),
        ({"augmentation__probability": 1.5, **ADAPTIVE}, "a probability is from 0 to 1"),
        ({"augmentation__pseudo": "linear:0:2"}, "a probability is from 0 to 1"),
        ({"augmentation__pseudo": "adaptive:0.6", "objective": "lsgan"}, "mean nothing for objective=lsgan"),
        ({"generator__ema_half_life": 10.0}, "are two EMAs"),
        ({"generator__ema_half_life": -1.0, "generator__ema_decay": 0.0}, "must be a number of updates"),
        ({"generator__ema_half_life": "adaptive:0.6", "generator__ema_decay": 0.0}, "must be a number of updates"),
        ({"d_optimizer__b2": "cosine:0.9:1.5"}, "d_optimizer.b2=cosine:0.9:1.5: must be at least 0 and less than 1"),
        ({"d_optimizer__b2": "adaptive:0.5"}, "must be at least 0 and less than 1"),
    ],
)
def test_mistakes(changes, message):
    with pytest.raises(UserError, match=message):
        make(**changes)


def test_an_ema_with_a_half_life():
    """The decay of h updates is 2^(-1 / h), below the limit (1 + t) / (10 + t) of the first steps."""
    gan, _ = make(generator__ema_decay=0.0, generator__ema_half_life=3.0)
    assert float(values.at(gan.g_ema_decay, Progress(jnp.array(0)))) == pytest.approx(0.5 ** (1 / 3))
    gan, state = make(generator__ema_decay=0.0, generator__ema_half_life="linear:0:4")
    assert float(values.at(gan.g_ema_decay, Progress(jnp.array(0)))) == 0, "no memory: the present parameters"
    after, _ = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, after.generator.ema["params"], after.generator.params)


def test_a_weight_that_is_a_schedule_weighs_the_term():
    def loss(weight, step):
        gan, state = make(d_loss__r1=weight, discriminator__norm="none")
        metrics = jax.jit(gan.step)(state._replace(step=jnp.array(step)), batches(), jax.random.key(0))[1]
        return float(metrics["d_loss"] - metrics["d_adversarial"]), float(metrics["d_r1"])

    added, value = loss("linear:0:10", 2)
    assert added == pytest.approx(4 * value, rel=1e-4), "2 of the 5 steps"


def test_the_numbers_that_follow_d_are_saved_with_the_state(tmp_path):
    gan, state = make(augmentation__pseudo="adaptive:-0.99:24", objective="bce_logits")
    state, _ = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    with contextlib.closing(Checkpoints(tmp_path, 1)) as checkpoints:
        checkpoints.save(1, state)
        restored = checkpoints.restore(1, jax.eval_shape(lambda: state))
    assert equal(restored, state)
    assert float(restored.discriminator.tracked["augmentation_pseudo"]) == pytest.approx(SIZE / 24)
