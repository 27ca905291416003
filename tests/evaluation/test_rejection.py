"""Discriminator rejection sampling: the formula, the paper's loop, and a toy whose density ratio is known."""

import functools
import math

import jax
import numpy as np
import pytest
from scipy.stats import chisquare

from gan_jax.data.dataset import to_uint8
from gan_jax.evaluation import rejection
from gan_jax.evaluation.generate import generate
from gan_jax.evaluation.rejection import acceptance, generate_by_rejection
from gan_jax.gan import sampling
from gan_jax.system.errors import UserError
from tests.gan.tiny_gan import CLASSES, make
from tests.gan.toy_gan import counts_of_bytes, one_dimensional


def program(gan):
    return jax.jit(functools.partial(sampling.candidates, gan))


def paper(logit, maximum, gamma):
    """sigmoid(F) as it is written in the paper, with eps = 1e-14."""
    f = logit - maximum - math.log(1 - math.exp(logit - maximum - 1e-14)) - gamma
    return 1 / (1 + math.exp(-f))


def test_acceptance_equals_the_formula():
    logits, maximum = np.array([-9.0, -1.5, 0.2, 1.9]), 2.0
    for gamma in (0.0, 1.3, -2.0):
        expected = [paper(logit, maximum, gamma) for logit in logits]
        np.testing.assert_allclose(acceptance(logits, maximum, logits, 80, gamma), expected, rtol=1e-6)
    np.testing.assert_allclose(acceptance(logits, maximum, logits, 80, 0.0), np.exp(logits - maximum), rtol=1e-6)
    assert acceptance(np.array([2.0]), 2.0, logits, 80, 0.0) == pytest.approx(1)


def test_gamma_is_the_percentile_of_f():
    burn_in = np.random.default_rng(0).normal(size=11)
    maximum = burn_in.max() + 0.1
    values = sorted(logit - maximum - math.log(1 - math.exp(logit - maximum)) for logit in burn_in)
    for percentile, gamma in ((0, values[0]), (80, values[8]), (100, values[10])):
        expected = [paper(logit, maximum, gamma) for logit in burn_in]
        np.testing.assert_allclose(acceptance(burn_in, maximum, burn_in, percentile), expected, rtol=1e-6)
    # Half of the images at the percentile are kept, also if D says the same of all images.
    np.testing.assert_allclose(acceptance(np.zeros(3), 0.0, np.zeros(5), 80), 0.5)


@pytest.mark.parametrize("settings", [{"gamma": 0.0}, {"percentile": 80.0}])
def test_the_images_are_those_of_the_papers_loop(settings):
    """One image after the other; here M starts low (burn-in of 3 images), so that it grows in the loop."""
    draw = program(one_dimensional())
    labels = np.tile(np.array([1, 0, 1], np.int32), 20)
    images = generate_by_rejection(draw, None, labels, seed=5, burn_in=3, **settings)
    burn_in_key, key = jax.random.split(jax.random.key(5))
    for label in (0, 1):
        series = np.full(400, label, np.int32), np.arange(400, dtype=np.int32)
        burn_in = np.float64(draw(None, burn_in_key, *series).logits[:3])
        drawn, maximum, kept, growths = draw(None, key, *series), burn_in.max(), [], 0
        for image, logit, uniform in zip(*map(np.asarray, drawn), strict=True):
            growths += logit > maximum
            maximum = max(maximum, np.float64(logit))
            position = np.percentile(burn_in, 80)
            f = position - maximum - math.log(1 - math.exp(position - maximum - 1e-14))
            if uniform < paper(np.float64(logit), maximum, settings.get("gamma", f)):
                kept.append(image)
        wanted = images[labels == label]
        assert len(kept) >= len(wanted)
        assert growths > 1
        np.testing.assert_array_equal(wanted, to_uint8(np.stack(kept[: len(wanted)])))


def test_accepted_images_follow_the_data_if_d_is_the_density_ratio():
    """Bytes of images of p_data are uniform. Those of G are not: this test can tell."""
    gan, count = one_dimensional(), 4000
    labels = np.arange(2 * count, dtype=np.int32) % 2
    accepted = generate_by_rejection(program(gan), None, labels, gamma=0.0)
    plain = generate(
        jax.jit(lambda state, key, labels: gan.generate(state, key, gan.prior(key, len(labels)), labels)), None, labels
    )
    shifted = generate_by_rejection(program(gan), None, labels, percentile=80)
    for label in (0, 1):
        p_value = [chisquare(*counts_of_bytes(images[labels == label])).pvalue for images in (accepted, plain, shifted)]
        assert p_value[0] > 0.01
        assert p_value[1] < 1e-9
        assert p_value[2] < 1e-9, "with a percentile, the density is no longer that of the data"


def test_a_percentile_gives_the_density_of_its_formula():
    """Accepted images have the density p_G(x) sigmoid(F(x)), here by a sum over many images of G."""
    gan, count = one_dimensional(), 4000
    draw, labels = program(gan), np.zeros(count, np.int32)
    accepted = generate_by_rejection(draw, None, labels, seed=1, burn_in=2000, percentile=90)
    burn_in_key, _ = jax.random.split(jax.random.key(1))
    burn_in = draw(None, burn_in_key, np.zeros(2000, np.int32), np.arange(2000, dtype=np.int32)).logits
    many = draw(None, jax.random.key(9), np.zeros(200_000, np.int32), np.arange(200_000, dtype=np.int32))
    # The largest logit of many images; that of the burn-in comes close to it.
    logits = np.float64(many.logits)
    weights = acceptance(logits, logits.max(), burn_in, 90)
    pixels = to_uint8(many.images).ravel()
    edges = np.quantile(pixels, np.linspace(0, 1, 9)[1:-1], weights=weights, method="inverted_cdf")
    expected = np.bincount(np.digitize(pixels, edges), weights) / weights.sum() * count
    counts = np.bincount(np.digitize(accepted.ravel(), edges), minlength=8)
    assert expected.min() > 300
    assert chisquare(counts, expected).pvalue > 0.01
    plain = np.bincount(np.digitize(pixels[:count], edges), minlength=8)
    assert chisquare(plain, expected).pvalue < 1e-9


def test_neither_the_batch_nor_the_other_images_change_an_image(monkeypatch):
    gan, state = make()
    draw, labels = program(gan), np.array([0, 1, 2, 2, 1, 0, 2], np.int32)
    images = generate_by_rejection(draw, state, labels, seed=4, burn_in=90)
    assert images.shape == (7, 8, 8, 1)
    np.testing.assert_array_equal(images, generate_by_rejection(draw, state, labels, seed=4, burn_in=90))
    assert (images != generate_by_rejection(draw, state, labels, seed=5, burn_in=90)).any()
    more = generate_by_rejection(draw, state, np.append(labels, labels), seed=4, burn_in=90)
    np.testing.assert_array_equal(images, more[:7])
    alone = generate_by_rejection(draw, state, np.array([2, 2], np.int32), seed=4, burn_in=90)
    np.testing.assert_array_equal(images[[2, 3]], alone)
    monkeypatch.setattr(rejection, "_BATCH_SIZE", 7)
    # A batch of another size rounds differently.
    small = generate_by_rejection(draw, state, labels, seed=4, burn_in=90)
    assert np.abs(images.astype(int) - small).max() <= 1


def test_labels_are_those_asked_for():
    """A generator that draws its label, with a D that knows nothing: every image shows the label of its row."""

    def labelled(state, key, labels, numbers):
        shown = np.float32(labels) / 127.5 - 1
        return sampling.Candidates(shown.reshape(-1, 1, 1, 1), np.zeros(len(labels)), np.linspace(0, 1, len(labels)))

    labels = np.random.default_rng(0).integers(0, CLASSES, 300).astype(np.int32)
    assert generate_by_rejection(labelled, None, labels).ravel().tolist() == labels.tolist()


def test_what_cannot_end_is_refused():
    gan = one_dimensional()
    with pytest.raises(UserError, match=r"keeps 0 of 5500 images of label 1; set a lower percentile or gamma") as error:
        generate_by_rejection(program(gan), None, np.ones(100, np.int32), gamma=60.0, burn_in=5000)
    assert "\n" not in str(error.value)
    broken = lambda *arguments: program(gan)(*arguments)._replace(logits=np.full(500, np.nan))  # noqa: E731
    with pytest.raises(UserError, match="are not finite"):
        generate_by_rejection(broken, None, np.array([1], np.int32))
