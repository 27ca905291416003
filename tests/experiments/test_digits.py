"""The commands about MNIST's digits: they refuse other images; what a measurement records."""

import numpy as np
import pytest

from experiments import digits_classifier, standard_errors
from gan_jax.evaluation import digits
from tests.tiny import run


@pytest.mark.parametrize("command", [digits_classifier, standard_errors])
def test_other_images_are_refused_and_nothing_is_written(command, idx_folder, tmp_path, capsys):
    weights = digits.PATH.stat().st_mtime_ns
    output = ["--output", tmp_path / "out"] if command is standard_errors else []
    assert run(command, "--idx", idx_folder, *output) == 2
    assert "other images than MNIST's" in capsys.readouterr().err
    assert digits.PATH.stat().st_mtime_ns == weights
    assert not (tmp_path / "out").exists()


def test_errors_and_spread_of_known_features(monkeypatch):
    for name, value in {"SIZE": 60, "DRAWS": 20, "ERRORS": 10}.items():
        monkeypatch.setattr(standard_errors, name, value)
    rng = np.random.default_rng(0)
    real, fake = (rng.normal(shift, 1, (2000, 4)) for shift in (0, 1))
    results = standard_errors.errors_and_spread(real, fake, rng)
    assert tuple(results) == standard_errors.NAMES
    for name, result in results.items():
        assert result["ratio"] == pytest.approx(result["standard_error"] / result["spread"]), name
        assert 0.4 < result["ratio"] < 2.5, name
    # The squared distance of the means is 4, plus the bias of few images.
    assert 4 < results["frechet_distance"]["mean"] < 5


def test_changes():
    features, labels = np.ones((8, 4), np.float32), np.arange(8) % 4
    np.testing.assert_array_equal(standard_errors.changed(features, labels, "none"), features)
    np.testing.assert_allclose(standard_errors.changed(features, labels, "lacking"), np.full((6, 4), 1.1), rtol=1e-6)
    warped = standard_errors.changed(features, labels, "warped")
    assert 0 < np.abs(warped - features).max() < 0.3
