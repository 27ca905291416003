"""Terms for class-conditional GANs against loops in numpy, and their heads; consistency of fakes and of z; top-k."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.gan.types import Progress
from gan_jax.losses import adversarial, conditional, penalties
from gan_jax.losses.build import build_losses
from gan_jax.losses.targets import constant
from gan_jax.networks.heads import HEADS
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from tests.losses.linear import linear_inputs

INPUTS = linear_inputs()
LABELS = np.asarray(INPUTS.batch.labels)
T, M = 0.4, 0.7


def extra(name, output="fake"):
    return np.asarray(getattr(INPUTS, output).extras[name], np.float64)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def mean_log(logits, labels):
    return np.mean([row[label] for row, label in zip(log_softmax(logits), labels, strict=True)])


def test_the_twin_classifier_reads_its_own_logits_of_fakes():
    expected = -mean_log(extra("twin_logits"), LABELS)
    assert conditional.twin_classification(INPUTS) == pytest.approx(expected, rel=1e-5)


def test_discriminative_classification_by_hand():
    real, fake = extra("all_class_logits", "real"), extra("all_class_logits")
    assert real.shape == (6, 6)
    expected = -mean_log(real, LABELS) - mean_log(fake, LABELS + 3)
    assert conditional.discriminative_classification(INPUTS) == pytest.approx(expected, rel=1e-5)
    expected = -mean_log(fake, LABELS) + mean_log(fake, LABELS + 3)
    assert conditional.discriminative_classification_fake(INPUTS) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("output", ["real", "fake"])
def test_contrastive_by_a_loop(output):
    f, e = extra("embedding", output), extra("proxy", output)
    losses = []
    for i in range(6):
        own = np.exp(f[i] @ e[i] / T)
        others = {k: np.exp(f[i] @ f[k] / T) for k in range(6) if k != i}
        same = sum(value for k, value in others.items() if LABELS[k] == LABELS[i])
        losses.append(-np.log((own + same) / (own + sum(others.values()))))
    term = {"real": conditional.contrastive, "fake": conditional.contrastive_fake}[output]
    assert term(INPUTS, temperature=T) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("output", ["real", "fake"])
def test_data_to_data_by_a_loop(output):
    f, e = extra("embedding", output), extra("proxy", output)
    losses = []
    for i in range(6):
        own = np.exp(min(f[i] @ e[i] - M, 0) / T)
        others = sum(np.exp(max(f[i] @ f[j] - (1 - M), 0) / T) for j in range(6) if LABELS[j] != LABELS[i])
        losses.append(-np.log(own / (own + others)))
    term = {"real": conditional.data_to_data, "fake": conditional.data_to_data_fake}[output]
    assert term(INPUTS, temperature=T, margin=M) == pytest.approx(np.mean(losses), rel=1e-5)


def test_multi_hinge_by_a_loop():
    def hinge(logits, labels):
        others = [max(np.delete(row, label)) for row, label in zip(logits, labels, strict=True)]
        own = [row[label] for row, label in zip(logits, labels, strict=True)]
        return np.mean([max(0, 1 - a + b) for a, b in zip(own, others, strict=True)])

    real, fake = (np.asarray(output.class_logits, np.float64) for output in (INPUTS.real, INPUTS.fake))
    expected = hinge(real, LABELS) + hinge(fake, [2] * 6)
    assert conditional.multi_hinge(INPUTS) == pytest.approx(expected, rel=1e-5)
    assert conditional.multi_hinge_fake(INPUTS) == pytest.approx(hinge(fake, LABELS), rel=1e-5)


@pytest.mark.parametrize("term", [conditional.contrastive, functools.partial(conditional.data_to_data, margin=M)])
def test_gradients_are_finite_for_equal_images(term):
    def loss(rows):
        extras = {"embedding": rows, "proxy": rows}
        return term(INPUTS._replace(real=INPUTS.real._replace(extras=extras)), temperature=T)

    assert np.isfinite(jax.grad(loss)(jnp.ones((6, 4)) / 2)).all()


def test_heads_with_extra_outputs():
    features, labels = jax.random.normal(jax.random.key(0), (5, 7)), jnp.array([0, 1, 2, 3, 0])

    def output(name):
        head = HEADS[name](4, jax.nn.initializers.normal(1.0))
        return head.init_with_output(jax.random.key(1), features, labels, train=True)[0]

    twin = output("twin")
    assert twin.class_logits.shape == twin.extras["twin_logits"].shape == (5, 4)
    assert not np.allclose(twin.class_logits, twin.extras["twin_logits"])
    both = output("discriminative")
    np.testing.assert_array_equal(both.class_logits, both.extras["all_class_logits"][:, :4])
    assert both.extras["all_class_logits"].shape == (5, 8)
    contrastive = output("contrastive")
    for rows in contrastive.extras.values():
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(contrastive.extras["proxy"][0], contrastive.extras["proxy"][4])
    assert not np.allclose(contrastive.extras["proxy"][0], contrastive.extras["proxy"][1])


def test_consistency_of_fakes_and_of_z():
    """The discriminator is linear: a change of all pixels by c changes a logit by c times the sum of its weights."""
    w = float(INPUTS.discriminate(jnp.ones((1, 4, 4, 1)), None).logits[0])
    assert penalties.consistency_fake(INPUTS) == pytest.approx((0.5 * w) ** 2, rel=1e-4)
    moves = 0.3 * np.asarray(jax.random.normal(INPUTS.key, (6, 2)), np.float64).sum(axis=1)
    assert penalties.latent_consistency(INPUTS, stddev=0.3) == pytest.approx(np.mean((w * moves) ** 2), rel=1e-4)
    assert penalties.latent_diversity(INPUTS, stddev=0.3) == pytest.approx(-np.mean(moves**2), rel=1e-4)


@pytest.mark.parametrize("objective", [name for name, row in adversarial.OBJECTIVES.items() if row.per_example])
def test_the_loss_of_the_top_fakes_is_that_of_a_batch_of_them(objective):
    real, fake = (np.random.default_rng(seed).normal(size=8).astype(np.float32) for seed in (0, 1))
    best = np.argsort(-fake)[:3]

    def loss(fake):
        return adversarial.mean_of_top(
            adversarial.OBJECTIVES[objective], real, fake, constant(None, 8, real=1.0, fake=0.0, generator=1.0), 0.3
        )

    targets = constant(None, 3, real=1.0, fake=0.0, generator=1.0)
    expected = adversarial.OBJECTIVES[objective].generator(real[best], fake[best], targets)
    assert loss(fake) == pytest.approx(float(expected), rel=1e-5, abs=1e-6)
    dropped = np.delete(np.arange(8), best)
    assert not np.asarray(jax.grad(loss)(fake))[dropped].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"g_top_share": 0.0}, "g_top_share=0.0: must be above 0"),
        ({"g_top_share": "adaptive:0.5"}, "must be above 0 and at most 1"),
        ({"g_top_share": 0.5, "objective": "relativistic_average"}, "compares each image with the whole batch"),
        ({"d_loss.contrastive": 1.0}, "needs D's outputs of another head: set --config.discriminator.head=contrastive"),
        ({"d_loss.consistency_fake": 1.0, "augmentation.consistency": ""}, "needs a distortion"),
    ],
)
def test_mistakes(changes, message):
    config = configs.defaults()
    configs.override(config, changes)
    with pytest.raises(UserError, match=message):
        build_losses(config, 100)


def test_the_top_share_follows_its_schedule():
    config = configs.defaults()
    configs.override(config, {"g_top_share": "linear:1:0.5", "objective": "wasserstein"})
    _, g_loss = build_losses(config, 100)
    fake = np.sort(np.asarray(INPUTS.fake.logits))[::-1]
    for step, count in ((0, 6), (50, 5), (100, 3)):
        value, _ = g_loss(INPUTS._replace(progress=Progress(jnp.array(step))))
        assert value == pytest.approx(-fake[:count].mean(), rel=1e-5)
