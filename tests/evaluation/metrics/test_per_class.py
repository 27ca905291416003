"""Frechet distances within classes."""

import numpy as np
import pytest

from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.metrics.per_class import per_class_frechet_distance

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(60, 3)).astype(np.float32), RNG.normal(size=(50, 3)).astype(np.float32)


def test_the_distance_of_a_class_uses_only_its_rows():
    real_labels, fake_labels = np.arange(60) % 3, np.array([0] * 30 + [1] * 19 + [3])
    result = per_class_frechet_distance(REAL, real_labels, FAKE, fake_labels, num_classes=5)
    assert result == {
        0: frechet_distance(REAL[::3], FAKE[:30]),
        1: frechet_distance(REAL[1::3], FAKE[30:49]),
        2: None,  # not generated
        3: None,  # one generated row, no real one
        4: None,
    }
    fewer = per_class_frechet_distance(REAL, real_labels, FAKE, fake_labels, num_classes=2, least_rows=20)
    assert fewer == {0: result[0], 1: None}


def test_swapped_classes_change_only_the_per_class_distances():
    labels = np.arange(60) % 2
    real = REAL + 10 * labels[:, None]
    assert per_class_frechet_distance(real, labels, real, labels, 2) == pytest.approx({0: 0, 1: 0}, abs=1e-5)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-4)
    swapped = per_class_frechet_distance(real, labels, real, 1 - labels, 2)
    assert min(swapped.values()) > 200


def test_invalid_arguments_raise():
    labels = np.zeros(60, int)
    with pytest.raises(ValueError, match="one label for each row"):
        per_class_frechet_distance(REAL, labels, FAKE, labels, 1)
    with pytest.raises(ValueError, match="least_rows"):
        per_class_frechet_distance(REAL, labels, REAL, labels, 1, least_rows=1)
