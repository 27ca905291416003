"""Every standard error that an evaluation prints, against the spread of the score over fresh draws of all images."""

import numpy as np
import pytest

from gan_jax.evaluation.metrics import kernel
from gan_jax.evaluation.metrics.frechet import frechet_distance, frechet_standard_error
from gan_jax.evaluation.metrics.kernel import kernel_estimate
from gan_jax.evaluation.metrics.scores import ImageFeatures, scores

CLASSES, DRAWS = 4, 200
# If both sets are of one distribution, the errors of these two are too large by about sqrt(2); see their docstrings.
ABOVE = {"frechet_distance": 1.65, "kernel_distance": 1.65}


def images(rng, size, stddev=1.0, shares=(0.25, 0.25, 0.25, 0.25), sort=False):
    """Features of a mixture of one Gaussian for each class, and the probabilities of an uncertain classifier.

    sort: whether the images are in the order of their classes.
    """
    labels = rng.choice(CLASSES, size, p=shares)
    labels = np.sort(labels) if sort else labels
    points = 3.0 * np.eye(CLASSES, 6)[labels] * (1 + np.arange(CLASSES)[labels, None] / 2)
    points += stddev * rng.normal(size=points.shape) * (1 + labels[:, None] / 3)
    probabilities = np.exp(points[:, :CLASSES])
    return ImageFeatures(points, labels, probabilities / probabilities.sum(axis=1, keepdims=True))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "generator",
    [
        pytest.param({}, id="real images against real ones"),
        pytest.param({"stddev": 1.2, "shares": (0.4, 0.3, 0.2, 0.1)}, id="a generator that differs"),
    ],
)
def test_every_printed_error_is_the_spread_over_fresh_draws(generator):
    """The real images are in the order of their classes, as in many a test split."""
    rng, values, errors = np.random.default_rng(0), [], []
    for _ in range(DRAWS):
        train, real = images(rng, 200), images(rng, 150, sort=True)
        result = scores(images(rng, 160, **generator), real, train.features, conditional=True)
        scored = {name: score for name, score in result.items() if score.standard_error is not None}
        values.append([score.value for score in scored.values()])
        errors.append([score.standard_error for score in scored.values()])
    spread, printed = np.std(values, axis=0, ddof=1), np.sqrt(np.mean(np.square(errors), axis=0))
    ratios = dict(zip(scored, printed / spread, strict=True))
    assert set(ratios) == {
        *("conditional_accuracy", "classifier_score", "frechet_distance", "kernel_distance", "nearer_to_train"),
        *("precision", "recall", "density", "coverage", "two_sample_accuracy"),
    }
    wrong = {name: ratio for name, ratio in ratios.items() if not 0.75 < ratio < ABOVE.get(name, 1.3)}
    assert not wrong, ratios


@pytest.mark.parametrize("sizes", [(60, 40), (40, 60)])
def test_the_error_of_the_frechet_distance_of_fewer_images_than_features(sizes):
    rng = np.random.default_rng(0)
    draws = [[rng.normal(shift, 1 + shift, (size, 100)) for shift, size in enumerate(sizes)] for _ in range(100)]
    spread = np.std([frechet_distance(a, b) for a, b in draws], ddof=1)
    errors = [frechet_standard_error(a, b) for a, b in draws[:30]]
    assert np.mean(errors) == pytest.approx(spread, rel=0.25)
    # Both ways to compute it, at the number of features at which one takes over from the other.
    a, b = (x @ np.diag([*np.ones(30), *np.zeros(70)]) for x in draws[0])
    assert frechet_standard_error(a, b) == pytest.approx(frechet_standard_error(a[:, :30], b[:, :30]), rel=1e-6)


def test_the_error_of_the_kernel_distance_does_not_depend_on_the_block_size(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (40, 3)), rng.normal(0.3, 1, (30, 3))
    expected = kernel_estimate(a, b)
    monkeypatch.setattr(kernel, "BLOCK_ENTRIES", 70)  # blocks of two rows
    assert kernel_estimate(a, b) == pytest.approx(expected, rel=1e-9)
