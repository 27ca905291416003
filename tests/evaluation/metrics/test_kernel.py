"""The kernel distance against loops over pairs and scikit-learn's kernel."""

import numpy as np
import pytest

from gan_jax.evaluation.metrics import kernel as kernel_module
from gan_jax.evaluation.metrics.kernel import kernel_distance


def features(seed, rows, columns=5, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (rows, columns)).astype(np.float32)


def by_loops(a, b):
    def k(x, y):
        return (sum(float(s) * float(t) for s, t in zip(x, y, strict=True)) / len(x) + 1) ** 3

    within = [
        sum(k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j) / (len(s) * (len(s) - 1))
        for s in (a, b)
    ]
    return sum(within) - 2 * sum(k(x, y) for x in a for y in b) / (len(a) * len(b))


def test_kernel_distance_equals_loops_over_pairs(monkeypatch):
    a, b = features(0, 13), features(1, 9, shift=0.3)
    expected = by_loops(a, b)
    assert kernel_distance(a, b) == pytest.approx(expected, rel=1e-12)
    assert kernel_distance(b, a) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(kernel_module, "BLOCK_ENTRIES", 20)  # blocks of one or two rows
    assert kernel_distance(a, b) == pytest.approx(expected, rel=1e-12)


def test_kernel_distance_by_hand():
    """One feature, k(x, y) = (x y + 1)^3. (0, 1) and (1, 1): 1 + 8 - 2 (1 + 1 + 8 + 8) / 4 = 0."""
    a = np.array([[0.0], [1.0]])
    assert kernel_distance(a, np.array([[1.0], [1.0]])) == 0
    assert kernel_distance(a, np.array([[1.0], [2.0]])) == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)


def test_kernel_distance_equals_the_kernel_of_scikit_learn():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    a, b = features(0, 300, 20), features(1, 200, 20, shift=0.2)
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    aa, bb, ab = (pairwise.polynomial_kernel(x, y) for x, y in ((a64, a64), (b64, b64), (a64, b64)))
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (aa, bb)]
    assert kernel_distance(a, b) == pytest.approx(sum(within) - 2 * ab.mean(), rel=1e-10)


def test_kernel_distance_is_unbiased_and_negative_for_identical_sets():
    values = [kernel_distance(features(2 * s, 30), features(2 * s + 1, 30)) for s in range(200)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200)
    assert min(values) < 0
    a = features(0, 50)
    assert kernel_distance(a, a) < 0


def test_invalid_arguments_raise():
    a = features(0, 10)
    for bad in (a[:1], a[:, :3], a[0], np.full((10, 5), np.nan)):
        with pytest.raises(ValueError, match="features"):
            kernel_distance(a, bad)
