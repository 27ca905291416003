"""Bins: k-means against scikit-learn, the z-test and the divergence against hand numbers and scipy."""

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

from gan_jax.evaluation.metrics.bins import assign, different_bins, k_means


def normal(seed, rows, columns=6, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (rows, columns)).astype(np.float32)


def inertia(features, centres):
    return np.sum((features - centres[assign(features, centres)]) ** 2)


def test_rows_go_to_the_nearest_centre():
    features, centres = normal(0, 200), normal(1, 12)
    distances = np.linalg.norm(features[:, None].astype(np.float64) - centres, axis=2)
    np.testing.assert_array_equal(assign(features, centres), distances.argmin(axis=1))


def test_assignments_and_inertia_equal_scikit_learn():
    cluster = pytest.importorskip("sklearn.cluster")
    features, queries = normal(0, 500).astype(np.float64), normal(1, 300).astype(np.float64)
    start = features[:10]
    sklearn_k_means = cluster.KMeans(10, init=start, n_init=1).fit(features)
    np.testing.assert_array_equal(assign(queries, sklearn_k_means.cluster_centers_), sklearn_k_means.predict(queries))
    best = cluster.KMeans(10, n_init=10, random_state=0).fit(features).inertia_
    assert inertia(features, k_means(features, 10)) < 1.08 * best


def test_k_means_ends_at_means_of_its_bins_and_finds_clear_clusters():
    features = np.concatenate([normal(s, 40, shift=20 * s) for s in range(5)])
    centres = k_means(features, 5)
    labels = assign(features, centres)
    assert all(len(set(labels[40 * s : 40 * s + 40])) == 1 for s in range(5))
    for label in range(5):
        np.testing.assert_allclose(centres[label], features[labels == label].mean(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_array_equal(centres, k_means(features, 5))
    # With fewer distinct rows than bins, some bins are empty.
    assert np.isfinite(k_means(np.repeat(normal(0, 3), 5, axis=0), 6)).all()
    np.testing.assert_allclose(k_means(features, 1)[0], features.mean(axis=0, dtype=np.float64), rtol=1e-12)


def test_bins_by_hand():
    """Two clusters: 60 and 40 of 100 training rows; 30 and 20, then 20 and 30 of 50 generated ones.

    The pooled shares of the second are 80 / 150 and 70 / 150, z = +-0.2 / sqrt(80 * 70 / 150^2 * (1/100 + 1/50)).
    """
    low, high = normal(0, 60), normal(1, 40, shift=50)
    train = np.concatenate([low, high])
    same = different_bins(train, np.concatenate([low[:30], high[:20]]), num_bins=2)
    assert same[:2] == (0, 0)
    result = different_bins(train, np.concatenate([low[:20], high[:30]]), num_bins=2)
    z = 0.2 / np.sqrt(80 * 70 / 150**2 * 0.03)
    assert sorted(result.z_scores) == pytest.approx([-z, z], rel=1e-12)
    assert sorted(result.train_shares) == pytest.approx([0.4, 0.6])
    assert 0.01 < 2 * scipy.stats.norm.sf(z) < 0.05
    assert result.share_different == 1
    stricter = different_bins(train, np.concatenate([low[:20], high[:30]]), num_bins=2, level=0.01)
    assert stricter.share_different == 0


def test_shares_z_scores_and_divergence():
    train, generated = normal(0, 900), normal(1, 500, shift=0.4)
    result = different_bins(train, generated, num_bins=20, seed=3)
    centres = k_means(train, 20, seed=3)
    p, q = (np.bincount(assign(x, centres), minlength=20) / len(x) for x in (train, generated))
    np.testing.assert_array_equal((result.train_shares, result.generated_shares), (p, q))
    pooled = (900 * p + 500 * q) / 1400
    z = (q - p) / np.sqrt(pooled * (1 - pooled) * (1 / 900 + 1 / 500))
    np.testing.assert_allclose(result.z_scores, z, rtol=1e-9)
    assert result.share_different == np.mean(2 * scipy.stats.norm.sf(np.abs(z)) < 0.05)
    expected = scipy.spatial.distance.jensenshannon(p, q) ** 2
    assert result.jensen_shannon_divergence == pytest.approx(expected, rel=1e-9)


def test_equal_distributions_differ_in_about_a_twentieth_of_the_bins():
    values = [different_bins(normal(2 * s, 2000, 2), normal(2 * s + 1, 1000, 2), 20)[:2] for s in range(15)]
    assert 0.02 < np.mean([share for share, _ in values]) < 0.12


def test_one_of_two_clusters():
    """Shares (1/2, 1/2) and (1, 0): their mean is (3/4, 1/4)."""
    train = np.concatenate([normal(0, 50), normal(1, 50, shift=100)])
    result = different_bins(train, train[:50], 2)
    assert result.share_different == 1
    expected = (0.5 * np.log(2 / 3) + 0.5 * np.log(2) + np.log(4 / 3)) / 2
    assert result.jensen_shannon_divergence == pytest.approx(expected, rel=1e-12)
    # One bin holds all images of both sets.
    assert different_bins(train, train[:50], 1)[:2] == (0, 0)


def test_invalid_arguments_raise():
    a = normal(0, 10)
    with pytest.raises(ValueError, match="N >= 11"):
        different_bins(a, a, num_bins=11)
    with pytest.raises(ValueError, match="features"):
        different_bins(a, a[:, :2], num_bins=2)
    with pytest.raises(ValueError, match="bins"):
        different_bins(a, a, num_bins=0)
