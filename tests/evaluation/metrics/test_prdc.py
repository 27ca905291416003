"""Precision, recall, density and coverage against the authors' package, loops, hand numbers and theory."""

import functools
import math

import numpy as np
import pytest

from gan_jax.evaluation.metrics import neighbours
from gan_jax.evaluation.metrics.prdc import PRDC, precision_recall_density_coverage
from tests import golden


def normal(seed, rows, columns=8, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(shift, scale, (rows, columns)).astype(np.float32)


CASES = [
    (normal(0, 200), normal(1, 200), 5),
    (normal(0, 200), normal(1, 150, shift=0.7), 5),
    (normal(0, 120), normal(1, 200, scale=0.5), 3),
    (normal(0, 120), normal(1, 200, scale=2.0), 1),
    (normal(0, 100, shift=500.0), normal(1, 100, shift=500.3), 4),
]


def by_loops(real, fake, k):
    real, fake = real.astype(np.float64), fake.astype(np.float64)

    def radius(points, i):
        return sorted(np.linalg.norm(points[i] - points[j]) for j in range(len(points)) if j != i)[k - 1]

    real_radii, fake_radii = ([radius(points, i) for i in range(len(points))] for points in (real, fake))
    distance = [[np.linalg.norm(x - y) for y in fake] for x in real]
    n, m = range(len(real)), range(len(fake))
    return PRDC(
        precision=np.mean([any(distance[i][j] < real_radii[i] for i in n) for j in m]),
        recall=np.mean([any(distance[i][j] < fake_radii[j] for j in m) for i in n]),
        density=np.mean([sum(distance[i][j] < real_radii[i] for i in n) / k for j in m]),
        coverage=np.mean([min(distance[i]) < real_radii[i] for i in n]),
    )


@pytest.mark.parametrize("case", CASES[:2] + CASES[4:])
def test_prdc_equals_loops(case, monkeypatch):
    real, fake, k = case
    real, fake = real[:60], fake[:50]
    expected = by_loops(real, fake, k)
    assert precision_recall_density_coverage(real, fake, k, k) == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr(neighbours, "BLOCK_ENTRIES", 170)  # blocks of two or three rows
    assert precision_recall_density_coverage(real, fake, k, k) == pytest.approx(expected, abs=1e-12)


def test_precision_and_recall_have_another_k_than_density_and_coverage():
    real, fake = normal(0, 60), normal(1, 50, shift=0.5)
    narrow, wide = by_loops(real, fake, 3), by_loops(real, fake, 5)
    assert narrow.precision < wide.precision
    expected = PRDC(narrow.precision, narrow.recall, wide.density, wide.coverage)
    assert precision_recall_density_coverage(real, fake) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_prdc_equals_the_authors_package(number):
    real, fake, k = CASES[number]
    compute = functools.partial(package_values, real=real.astype(np.float64), fake=fake.astype(np.float64), k=k)
    expected = golden.numbers("prdc", "prdc", str(number), compute, atol=1e-12)
    assert precision_recall_density_coverage(real, fake, k, k) == pytest.approx([*map(float, expected)], abs=1e-12)


def package_values(prdc, real, fake, k):
    values = prdc.compute_prdc(real, fake, k)
    return [values[name] for name in PRDC._fields]


def test_prdc_by_hand():
    """On a line, k = 1. Real 0 1 3 7: radii 1 1 2 4. Fake 0.5 2 2.5 50: radii 1.5 0.5 0.5 47.5.

    0.5 is in the balls of 0 and 1; 2 in that of 3 (at the edge of that of 1); 2.5 in that of 3; 50 in none.
    0 and 1 are in the ball of 0.5; 3 and 7 are in that of 50. The ball of 7 contains no fake image, as the nearest
    one is at |7 - 2.5| = 4.5 > 4.
    """
    real, fake = np.array([[0.0], [1], [3], [7]]), np.array([[0.5], [2], [2.5], [50]])
    values = precision_recall_density_coverage(real, fake, 1, 1)
    assert values == PRDC(precision=3 / 4, recall=4 / 4, density=(2 + 1 + 1) / 4, coverage=3 / 4)


def test_precision_is_of_the_generated_images_and_recall_of_the_real_ones():
    """One generator gives only one of two clusters; another gives both and a cluster of bad images."""
    real = np.concatenate([normal(0, 200), normal(1, 200, shift=20)])
    collapsed = precision_recall_density_coverage(real, normal(2, 400, shift=20), 5)
    assert collapsed.precision > 0.9
    assert collapsed.density > 0.8
    assert collapsed.recall < 0.55
    assert collapsed.coverage < 0.55
    rubbish = np.concatenate([normal(3, 100), normal(4, 100, shift=20), normal(5, 200, shift=-20)])
    rubbish = precision_recall_density_coverage(real, rubbish, 5)
    assert rubbish.precision < 0.55
    assert rubbish.recall > 0.85


def test_one_distribution_gives_the_coverage_of_theory():
    n, k = 300, 5
    expected = 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    values = [precision_recall_density_coverage(normal(2 * s, n), normal(2 * s + 1, n), k, k) for s in range(10)]
    assert np.mean([v.coverage for v in values]) == pytest.approx(expected, abs=0.01)
    assert np.mean([v.density for v in values]) == pytest.approx(1, abs=0.05)


def test_an_outlier_deceives_precision_but_not_density():
    real = np.concatenate([normal(0, 200), normal(1, 1, shift=30)])
    values = precision_recall_density_coverage(real, normal(2, 200, shift=20))
    assert values.precision == 1
    assert values.density < 0.3
    assert values.coverage < 0.01


def test_invalid_arguments_raise():
    a = normal(0, 10)
    for real, fake in ((a[:5], a), (a, a[:5]), (a, a[:, :3]), (a, a[0])):
        with pytest.raises(ValueError, match="N >= 6"):
            precision_recall_density_coverage(real, fake)
    with pytest.raises(ValueError, match="neighbours"):
        precision_recall_density_coverage(a, a, 0)
