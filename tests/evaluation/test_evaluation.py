"""Metrics against independent implementations and known answers."""

import numpy as np
import pytest
import scipy.linalg

from gan_jax.evaluation.classifier import train_classifier
from gan_jax.evaluation.metrics.accuracy import accuracy, per_class_accuracy
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.recipes import Recipe


def test_frechet_distance_equals_that_with_scipy_sqrtm():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6))
    b = rng.normal(size=(150, 6)) @ rng.normal(size=(6, 6)) + 1.0
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(sum(covariances) - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sizes", [(20, 30), (30, 20), (20, 90), (90, 20), (2, 2)])
def test_frechet_distance_of_fewer_images_than_features(sizes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(size, 50)) @ rng.normal(size=(50, 50)) + shift for shift, size in enumerate(sizes))
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # The trace of the root is the sum of the singular values of S_a^(1/2) S_b^(1/2).
    roots = [scipy.linalg.sqrtm(cov + 1e-12 * np.eye(50)).real for cov in covariances]
    cross = scipy.linalg.svdvals(roots[0] @ roots[1]).sum()
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(sum(covariances)) - 2 * cross
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-4)


def test_frechet_distance_by_hand():
    """Equal sets: 0. A shift by v: |v|^2. One dimension: (mu - nu)^2 + (s - t)^2."""
    a = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + np.float32([1, 2, 2])) == pytest.approx(9, rel=1e-5)
    x = a[:, :1]
    assert frechet_distance(x, 3 * x) == pytest.approx(4 * (np.mean(x) ** 2 + np.var(x, ddof=1)), rel=1e-4)
    # A feature that is always zero makes the covariances singular.
    assert np.isfinite(frechet_distance(np.pad(a, ((0, 0), (0, 1))), np.pad(2 * a, ((0, 0), (0, 1)))))
    with pytest.raises(ValueError, match="features"):
        frechet_distance(a, a[:, :2])


def test_accuracy():
    assert accuracy([1, 2, 3, 3], [1, 2, 0, 3]) == 0.75
    assert per_class_accuracy(np.array([1, 1, 0]), np.array([1, 1, 1]), 3) == [None, pytest.approx(2 / 3), None]


def test_classifier_learns_is_deterministic_and_is_named_by_its_data():
    """Two classes of 12 x 12 images, a bright left or right half under noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(64, dtype=np.int32) % 2
    images = rng.integers(0, 80, (64, 12, 12, 1))
    images[labels == 0, :, :6] += 150
    images[labels == 1, :, 6:] += 150
    images = images.astype(np.uint8)
    recipe = Recipe(num_steps=40, batch_size=16, widths=(4, 8, 8), num_features=8)
    trained, trained_again = (train_classifier(images, labels, 2, recipe) for _ in range(2))
    features, probabilities = trained(images, batch_size=50)
    assert accuracy(probabilities.argmax(axis=1), labels) > 0.95
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert features.shape == (64, 8)
    np.testing.assert_allclose(features, trained_again(images)[0], rtol=1e-4, atol=1e-4)
    digests = {recipe.digest(images, labels), recipe.digest(images[::-1], labels), Recipe().digest(images, labels)}
    assert len(digests) == 3
