"""Candidates with numbers, and Langevin dynamics against the exact moments of a Gaussian."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.gan.sampling import candidates, langevin
from tests.gan.tiny_gan import CLASSES, SHAPE, make
from tests.gan.toy_gan import gaussian


def test_a_candidate_is_the_same_in_every_batch():
    gan, state = make()
    draw, key = jax.jit(functools.partial(candidates, gan)), jax.random.key(3)
    labels, numbers = np.array([0, 1, 2, 0, 1], np.int32), np.array([0, 0, 0, 1, 7], np.int32)
    drawn = draw(state, key, labels, numbers)
    assert drawn.images.shape == (5, *SHAPE)
    assert drawn.logits.shape == drawn.uniform.shape == (5,)
    other = draw(state, key, labels[[4, 2]], numbers[[4, 2]])
    for whole, part in zip(drawn, other, strict=True):
        np.testing.assert_allclose(part, whole[np.array([4, 2])], atol=1e-5)
    np.testing.assert_allclose(drawn.logits, gan.discriminate(state, drawn.images, labels).logits, atol=1e-5)
    assert len(np.unique(drawn.uniform)) == 5
    assert (np.abs(drawn.images[0] - drawn.images[3]).max(), np.abs(drawn.images[1] - drawn.images[4]).max()) > (0, 0)
    assert not np.array_equal(draw(state, jax.random.key(4), labels, numbers).uniform, drawn.uniform)


def test_candidates_are_samples_of_the_prior():
    gan = gaussian(np.zeros((1, 2)), 1.0)
    drawn = jax.jit(functools.partial(candidates, gan))(
        None, jax.random.key(0), jnp.zeros(20_000, jnp.int32), jnp.arange(20_000)
    )
    z = np.append(drawn.images[:, 0, 0], drawn.uniform[:, None], axis=1)
    error = 5 / np.sqrt(len(z))
    np.testing.assert_allclose(z.mean(axis=0), [0, 0, 0.5], atol=error)
    np.testing.assert_allclose(np.cov(z.T), np.diag([1, 1, 1 / 12]), atol=2 * error)


def test_no_step_of_langevin_dynamics_is_the_plain_sample():
    gan, state = make()
    labels, key = np.arange(CLASSES, dtype=np.int32), jax.random.key(1)
    plain = jax.jit(gan.sample)(state, key, labels)
    unmoved, moved = (
        jax.jit(functools.partial(langevin, gan, steps=steps, step_size=0.1))(state, key, labels) for steps in (0, 3)
    )
    np.testing.assert_allclose(unmoved, plain, atol=1e-6)
    assert np.abs(moved - plain).max() > 1e-3


def test_one_step_by_hand():
    """z - (s / 2) (z + (z - c) / d^2) + sqrt(s) n, with the same z and the noise that remains."""
    center, deviation, step_size = np.array([[0.4, -1.0]]), 0.5, 0.2
    labels, key = jnp.zeros(50, jnp.int32), jax.random.key(2)

    def moved(center):
        gan = gaussian(center, deviation)
        return langevin(gan, None, key, labels, steps=1, step_size=step_size)[:, 0, 0]

    start = langevin(gaussian(center, deviation), None, key, labels, steps=0, step_size=step_size)[:, 0, 0]
    mean = start - step_size / 2 * (start + (start - center) / deviation**2)
    noise = (moved(center) - mean) / np.sqrt(step_size)
    assert abs(np.corrcoef(noise.ravel(), np.ravel(start))[0, 1]) < 0.3
    assert noise.std() == pytest.approx(1, abs=0.25)
    # The noise does not depend on D, so another center moves z by s / 2 of the difference of the gradients.
    shift = np.array([[1.0, 2.0]])
    np.testing.assert_allclose(
        moved(center + shift) - moved(center), np.tile(step_size / 2 * shift / deviation**2, (50, 1)), atol=1e-5
    )


@pytest.mark.thorough
@pytest.mark.parametrize(("steps", "step_size"), [(5, 0.05), (200, 0.05), (1000, 0.01)])
def test_moments_of_a_gaussian(steps, step_size):
    """Prior N(0, I) and a quadratic logit: exp(-E) is N(c / (d^2 a), 1 / a) with a = 1 + 1 / d^2, per entry of z.

    The moments after every step are known: m <- (1 - s a / 2) m + s c / (2 d^2), v <- (1 - s a / 2)^2 v + s.
    """
    centers, deviation, count = np.array([[0.8, -0.4], [-1.0, 0.2]]), 0.5, 20_000
    precision = 1 + 1 / deviation**2
    mean, variance = np.zeros((2, 2)), 1.0
    for _ in range(steps):
        mean = (1 - step_size * precision / 2) * mean + step_size / 2 * centers / deviation**2
        variance = (1 - step_size * precision / 2) ** 2 * variance + step_size
    labels = jnp.arange(count) % 2
    draw = jax.jit(functools.partial(langevin, gaussian(centers, deviation), steps=steps, step_size=step_size))
    z = np.asarray(draw(None, jax.random.key(0), labels)[:, 0, 0], np.float64)
    for label in (0, 1):
        rows = z[label::2]
        np.testing.assert_allclose(rows.mean(axis=0), mean[label], atol=5 * np.sqrt(variance / len(rows)))
        np.testing.assert_allclose(rows.var(axis=0), variance, rtol=5 * np.sqrt(2 / len(rows)))
        if steps == 1000:  # Many small steps: the posterior itself.
            np.testing.assert_allclose(rows.mean(axis=0), centers[label] / deviation**2 / precision, atol=0.03)
            np.testing.assert_allclose(rows.var(axis=0), 1 / precision, rtol=0.06)


def test_seeds_at_once_give_the_images_of_each_seed():
    (gan, one), (_, other) = make(), make(seed=1)
    states = jax.tree.map(lambda *leaves: jnp.stack(leaves), one, other)
    labels, numbers, key = jnp.array([0, 1, 2]), jnp.arange(3), jax.random.key(0)
    for function, inputs in (
        (functools.partial(langevin, gan, steps=2, step_size=0.1), (key, labels)),
        (lambda *arguments: candidates(gan, *arguments).images, (key, labels, numbers)),
    ):
        together = jax.jit(jax.vmap(function, in_axes=(0, *[None] * len(inputs))))(states, *inputs)
        for images, state in zip(together, (one, other), strict=True):
            np.testing.assert_allclose(images, jax.jit(function)(state, *inputs), atol=1e-5)
