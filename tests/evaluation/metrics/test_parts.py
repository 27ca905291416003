"""Standard errors of nearest neighbours: images in the order of their classes."""

import numpy as np
import pytest

from gan_jax.evaluation.metrics.parts import parts_standard_errors, random_parts
from gan_jax.evaluation.metrics.prdc import precision_recall_density_coverage


def sets(seed):
    """Real images in the order of their four classes, and generated ones that alternate between them."""
    rng = np.random.default_rng(seed)
    labels = np.arange(240) % 4
    points = [6.0 * np.eye(4, 5)[order] + rng.normal(size=(240, 5)) for order in (np.sort(labels), labels)]
    return points[0], points[1] * 1.05


def test_the_order_of_the_images_does_not_matter():
    spread = np.std([precision_recall_density_coverage(*sets(seed)) for seed in range(100)], axis=0, ddof=1)
    errors = np.mean([parts_standard_errors(precision_recall_density_coverage, *sets(s)) for s in range(20)], axis=0)
    assert errors == pytest.approx(spread, rel=0.35)


def test_parts_are_disjoint_and_shuffled():
    parts = random_parts(31, 3)
    assert sorted(np.concatenate(parts)) == list(range(31))
    assert sorted(map(len, parts)) == [10, 10, 11]
    assert list(parts[0]) != sorted(parts[0])
    assert parts_standard_errors(lambda a: [a.mean()], np.arange(29.0)) is None


def test_a_mean_has_the_error_of_a_mean():
    values = np.random.default_rng(0).normal(size=3000)
    (error,) = parts_standard_errors(lambda a: [a.mean()], values)
    assert error == pytest.approx(1 / np.sqrt(3000), rel=0.6)
