"""Distances in blocks against scipy's."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gan_jax.evaluation.metrics import neighbours
from gan_jax.evaluation.metrics.neighbours import checked, distances_among, nearest, squared_distances


@pytest.mark.parametrize("entries", [1, 50, 10**6], ids=["rows", "blocks", "at once"])
@pytest.mark.parametrize("offset", [0, 1000], ids=["centred", "far off"])
def test_distances_equal_scipy(entries, offset, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_ENTRIES", entries)
    rng = np.random.default_rng(0)
    a, b = rng.normal(offset, 1, (30, 7)), rng.normal(offset, 1, (20, 7))
    expected = cdist(a, b)
    blocks = list(squared_distances(a, b))
    assert [(rows.start, rows.stop) for rows, _ in blocks][-1][1] == 30
    np.testing.assert_allclose(np.concatenate([block for _, block in blocks]), expected**2, rtol=1e-9)
    index, distance = nearest(squared_distances(a, b))
    np.testing.assert_array_equal(index, expected.argmin(axis=1))
    np.testing.assert_allclose(distance, expected.min(axis=1), rtol=1e-9)
    among = cdist(a, a) + np.diag(np.full(30, np.inf))
    np.testing.assert_allclose(np.concatenate([block for _, block in distances_among(a)]), among**2, rtol=1e-9)


def test_only_features_pass():
    a = np.ones((4, 3), np.float32)
    assert [array.dtype for array in checked(a, a[:2])] == [np.float64] * 2
    for bad in ((a, a[:1]), (a, a[:, :2]), (a[0],), (a[:, :0],)):
        with pytest.raises(ValueError, match="expected features"):
            checked(*bad)
    with pytest.raises(ValueError, match="not finite"):
        checked(a * np.inf)
