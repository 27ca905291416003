"""Memorisation tests against scipy's rank test, permuted data sets and loops; copies and independent samples."""

import numpy as np
import pytest
import scipy.stats
from scipy.spatial.distance import cdist

from gan_jax.evaluation.metrics.memorization import data_copying, mann_whitney, nearer_to_train


def normal(seed, rows, columns=8, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, (rows, columns)).astype(np.float32)


@pytest.mark.parametrize("digits", [8, 1, 0], ids=["no ties", "ties", "many ties"])
def test_mann_whitney_equals_scipy(digits):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=60).round(digits), rng.normal(0.3, 1, 45).round(digits)
    expected = scipy.stats.mannwhitneyu(a, b, alternative="less", method="asymptotic", use_continuity=False)
    statistic, z_score, p_value = mann_whitney(a, b)
    assert statistic == expected.statistic
    assert p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert z_score == pytest.approx(scipy.stats.norm.ppf(expected.pvalue), rel=1e-9)
    assert mann_whitney(b, a)[1] == pytest.approx(-z_score, rel=1e-12)


def test_mann_whitney_by_hand():
    """(1, 2) against (2, 3): one tie, U = 1/2, mean 2, s^2 = 4 / 12 (5 - 6 / 12) = 1.5."""
    assert mann_whitney(np.array([1, 2]), np.array([2, 3]))[:2] == (0.5, pytest.approx(-1.5 / np.sqrt(1.5)))
    assert mann_whitney(np.ones(5), np.ones(4)) == (10, 0, 0.5)
    for bad in (np.zeros(0), np.zeros((2, 2))):
        with pytest.raises(ValueError, match="values"):
            mann_whitney(bad, np.ones(3))


def test_data_copying_is_the_rank_test_of_distances_to_train():
    generated, train, held_out = normal(0, 70), normal(1, 90), normal(2, 50)
    distances = [cdist(x, train).min(axis=1) for x in (generated, held_out)]
    expected = scipy.stats.mannwhitneyu(*distances, alternative="less", method="asymptotic", use_continuity=False)
    assert data_copying(generated, train, held_out).p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_share_nearer_to_train_equals_loops():
    generated, train, held_out = normal(0, 70), normal(1, 50), normal(2, 50)
    nearer = [cdist(generated, features).min(axis=1) for features in (train, held_out)]
    result = nearer_to_train(generated, train, held_out)
    assert result.share == pytest.approx(np.mean(nearer[0] < nearer[1]), abs=1e-12)
    assert result.p_value == pytest.approx(scipy.stats.norm.sf(result.z_score), rel=1e-9)
    # With train and held_out exchanged, the share is the complement.
    assert nearer_to_train(generated, held_out, train).share == pytest.approx(1 - result.share, abs=1e-12)


def test_z_score_equals_that_of_permuted_data_sets():
    """4,000 random divisions of 80 images into train and held-out; most generated images are near a few of them."""
    rng = np.random.default_rng(0)
    images, generated = rng.normal(size=(80, 2)), rng.normal(0, 0.5, (200, 2))
    hits = np.bincount(cdist(generated, images).argmin(axis=1), minlength=80)
    dealt = rng.permuted(np.tile(np.arange(80) < 40, (4000, 1)), axis=1)
    expected = (hits[:40].sum() - 100) / (dealt @ hits).std()
    assert nearer_to_train(generated, images[:40], images[40:]).z_score == pytest.approx(expected, rel=0.05)


def test_copies_are_flagged_and_independent_samples_are_not():
    train, held_out = normal(0, 300), normal(1, 200)
    copies = train[:200] + normal(2, 200, scale=0.05)
    assert nearer_to_train(train, train[:200], held_out).p_value < 1e-6
    assert nearer_to_train(copies, train[:200], held_out).share > 0.95
    assert data_copying(copies, train, held_out).p_value < 1e-6
    assert data_copying(copies, train, held_out).z_score < -3
    independent = [
        (nearer_to_train(g, train, held_out).p_value, data_copying(g, train, held_out).p_value)
        for g in (normal(s, 200) for s in range(10, 40))
    ]
    assert np.mean(np.array(independent) < 0.01) <= 0.05


def test_level_over_independent_data_sets():
    values = []
    for seed in range(150):
        generated, train, held_out = (normal(3 * seed + i, 100, 2) for i in range(3))
        values.append((nearer_to_train(generated, train, held_out)[2], data_copying(generated, train, held_out)[1]))
    assert np.all(np.mean(np.array(values) < 0.05, axis=0) < 0.1)
    assert np.all(np.mean(np.array(values) < 0.5, axis=0) > 0.38)


def test_images_that_only_data_copying_flags():
    """Only data_copying flags typical images that are no copies, and one copy that is repeated."""
    train, held_out = normal(0, 200), normal(1, 200)
    narrow = normal(2, 200, scale=0.5)
    assert data_copying(narrow, train, held_out).p_value < 1e-6
    assert nearer_to_train(narrow, train, held_out).p_value > 0.01
    collapsed = np.repeat(train[:1], 200, axis=0)
    assert data_copying(collapsed, train, held_out).p_value < 1e-6
    assert nearer_to_train(collapsed, train, held_out)[:2] == (1, pytest.approx(1, rel=0.01))


def test_equal_distances_go_to_either_side():
    """For images that are in both sets."""
    both = normal(0, 100)
    assert 0.3 < nearer_to_train(both, both, both).share < 0.7


def test_invalid_arguments_raise():
    a = normal(0, 10)
    for function in (nearer_to_train, data_copying):
        for bad in (a[:1], a[:, :2], a[0]):
            with pytest.raises(ValueError, match="features"):
                function(a, a, bad)
