"""The 1-NN two-sample test against scikit-learn's leave-one-out, scipy's binomial test and permuted labels."""

import numpy as np
import pytest
import scipy.stats

from gan_jax.evaluation.metrics.neighbours import distances_among, nearest
from gan_jax.evaluation.metrics.two_sample import _permutation_moments, nearest_neighbour_test


def normal(seed, rows, columns=4, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(shift, scale, (rows, columns)).astype(np.float32)


def by_loops(real, fake):
    points = [*real.astype(np.float64), *fake.astype(np.float64)]
    correct = []
    for i, point in enumerate(points):
        distances = [np.inf if i == j else np.linalg.norm(point - other) for j, other in enumerate(points)]
        correct.append((int(np.argmin(distances)) < len(real)) == (i < len(real)))
    return np.array(correct)


def test_accuracies_and_binomial_p_value():
    for seed, fake in enumerate((normal(7, 40), normal(8, 40, shift=0.6), normal(9, 40, scale=0.3))):
        real = normal(seed, 40)
        correct = by_loops(real, fake)
        result = nearest_neighbour_test(real, fake)
        assert result[:3] == (correct.mean(), correct[:40].mean(), correct[40:].mean())
        expected = scipy.stats.binomtest(int(correct.sum()), 80, 0.5, alternative="greater").pvalue
        assert result.p_value_binomial == pytest.approx(expected, rel=1e-9)


def test_accuracies_equal_leave_one_out_of_scikit_learn():
    pytest.importorskip("sklearn")
    from sklearn.model_selection import LeaveOneOut, cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier

    real, fake = normal(0, 60), normal(1, 60, shift=0.5)
    labels = np.repeat([0, 1], 60)
    classifier = KNeighborsClassifier(n_neighbors=1)
    predicted = cross_val_predict(classifier, np.concatenate([real, fake]), labels, cv=LeaveOneOut())
    correct = predicted == labels
    result = nearest_neighbour_test(real, fake)
    assert result[:3] == pytest.approx((correct.mean(), correct[:60].mean(), correct[60:].mean()), abs=1e-12)


def test_moments_equal_those_of_permuted_labels():
    """20,000 permutations over one graph; for 2 + 2 points, all six."""
    rng = np.random.default_rng(0)
    neighbour, _ = nearest(distances_among(rng.normal(size=(60, 2))))
    labels = rng.permuted(np.tile(np.repeat([0, 1], 30), (20000, 1)), axis=1)
    counts = np.sum(labels == labels[:, neighbour], axis=1)
    mean, variance = _permutation_moments(neighbour)
    assert mean == pytest.approx(counts.mean(), rel=0.005)
    assert variance == pytest.approx(counts.var(), rel=0.04)
    neighbour = np.array([1, 0, 0, 2])
    labels = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]])
    counts = np.sum(labels == labels[:, neighbour], axis=1)
    assert _permutation_moments(neighbour) == pytest.approx((counts.mean(), counts.var()), rel=1e-12)


def test_false_alarms_keep_the_level_and_real_differences_are_found():
    p_values = np.array(
        [nearest_neighbour_test(normal(2 * s, 80, 2), normal(2 * s + 1, 80, 2))[3:] for s in range(300)]
    )
    alarms, binomial_alarms = np.mean(p_values < 0.05, axis=0)
    assert 0.02 < alarms < 0.08
    assert binomial_alarms > alarms
    assert nearest_neighbour_test(normal(0, 200), normal(1, 200, shift=0.7)).p_value < 1e-4


def test_collapse_and_copies():
    """With a narrow generator, generated points are the nearest neighbours of real points and of each other."""
    real = normal(0, 300, 16)
    narrow = nearest_neighbour_test(real, normal(1, 300, 16, scale=0.5))
    assert narrow.accuracy_on_real < 0.4
    assert narrow.accuracy_on_fake > 0.99
    copies = nearest_neighbour_test(real, real + 1e-4)
    assert copies.accuracy == 0
    assert copies.p_value > 0.99


def test_invalid_arguments_raise():
    a = normal(0, 10)
    for bad in (a[:3], a[:, :2], a[0]):
        with pytest.raises(ValueError, match="features"):
            nearest_neighbour_test(a, bad)
    with pytest.raises(ValueError, match="10 and 9"):
        nearest_neighbour_test(a, a[:9])
