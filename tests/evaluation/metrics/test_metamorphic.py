"""The change of every score if the generated set is made better or worse in a known way.

Three "classes" are Gaussians of 6 features, apart from each other.
"""

import numpy as np
import pytest

from gan_jax.evaluation.metrics.accuracy import accuracy, per_class_accuracy
from gan_jax.evaluation.metrics.bins import different_bins
from gan_jax.evaluation.metrics.extrapolation import extrapolated_frechet_distance
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.metrics.inception_score import classifier_score
from gan_jax.evaluation.metrics.kernel import kernel_distance
from gan_jax.evaluation.metrics.memorization import data_copying, nearer_to_train
from gan_jax.evaluation.metrics.per_class import per_class_frechet_distance
from gan_jax.evaluation.metrics.prdc import precision_recall_density_coverage
from gan_jax.evaluation.metrics.two_sample import nearest_neighbour_test

CENTRES = 6 * np.eye(3, 6)


def sample(seed, rows=600, classes=(0, 1, 2)):
    """Features float32 [rows, 6] and labels [rows], balanced."""
    labels = np.resize(classes, rows)
    features = CENTRES[labels] + np.random.default_rng(seed).normal(size=(rows, 6))
    return features.astype(np.float32), labels


def probabilities(features):
    """The classifier that knows the centres."""
    logits = -0.5 * np.sum((features[:, None] - CENTRES) ** 2, axis=2)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_identical_sets_have_the_ideal_value():
    real, labels = sample(0)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)
    assert extrapolated_frechet_distance(real, real).distances[-1] == pytest.approx(0, abs=1e-6)
    per_class = per_class_frechet_distance(real, labels, real, labels, 3)
    assert per_class == pytest.approx(dict.fromkeys(range(3), 0), abs=1e-6)
    assert precision_recall_density_coverage(real, real) == pytest.approx((1, 1, 1, 1), abs=1e-3)
    assert different_bins(real, real, 20)[:2] == (0, 0)
    # The unbiased kernel distance is below 0 here. In the two-sample test, the nearest neighbour is the image's copy.
    assert kernel_distance(real, real) < 0
    assert nearest_neighbour_test(real, real).accuracy == 0


def test_independent_sets_are_near_the_ideal_value():
    real, fake = sample(0)[0], sample(1)[0]
    worse = sample(2, classes=(0, 1))[0]
    assert abs(kernel_distance(real, fake)) < kernel_distance(real, worse) / 10
    assert frechet_distance(real, fake) < frechet_distance(real, worse) / 10
    assert abs(nearest_neighbour_test(real, fake).accuracy - 0.5) < 0.06
    assert nearest_neighbour_test(real, fake).p_value > 0.01
    assert different_bins(real, fake, 20).share_different < 0.3
    assert different_bins(real, worse, 20).share_different > 0.5
    assert classifier_score(probabilities(fake)).mean > 2.5


def test_dropping_a_class_lowers_recall_and_coverage():
    """Coverage falls by a third, precision and density hardly change, the classifier score falls from 3 to 2."""
    real, (full, _), (dropped, _) = sample(0)[0], sample(1), sample(2, classes=(0, 1))
    with_all, without = (precision_recall_density_coverage(real, fake) for fake in (full, dropped))
    assert without.recall < with_all.recall - 0.2
    assert without.coverage < with_all.coverage - 0.25
    assert without.precision > with_all.precision - 0.05
    assert without.density > with_all.density - 0.15
    assert kernel_distance(real, dropped) > 10 * abs(kernel_distance(real, full))
    assert nearest_neighbour_test(real, dropped).p_value < 1e-4
    scores = [classifier_score(probabilities(fake), num_splits=1).mean for fake in (full, dropped)]
    assert scores == pytest.approx([3, 2], abs=0.1)


def test_a_copied_training_set_is_flagged_and_an_independent_sample_is_not():
    train, held_out = sample(0)[0], sample(1)[0]
    copies = train + 0.1 * np.random.default_rng(2).normal(size=train.shape)
    for test in (nearer_to_train, data_copying):
        for generated in (train, copies):
            assert test(generated, train, held_out).p_value < 0.01
        for seed in range(10, 15):
            assert test(sample(seed)[0], train, held_out).p_value > 0.01


def test_growing_noise_raises_the_distances():
    real, fake = sample(0)[0], sample(1)[0]
    noise = np.random.default_rng(2).normal(size=fake.shape)
    noisy = [fake + deviation * noise for deviation in (0, 1, 2, 4)]
    for metric in (
        frechet_distance,
        kernel_distance,
        lambda a, b: extrapolated_frechet_distance(a, b).distance,
        lambda a, b: different_bins(a, b, 20).jensen_shannon_divergence,
        lambda a, b: nearest_neighbour_test(a, b).accuracy,
        lambda a, b: -precision_recall_density_coverage(a, b).precision,
        lambda a, b: -precision_recall_density_coverage(a, b).density,
        lambda a, b: -precision_recall_density_coverage(a, b).coverage,
    ):
        values = [metric(real, features) for features in noisy]
        assert values == sorted(values)
        assert values[-1] > values[0]


def test_permuted_conditions_change_only_accuracy_and_per_class_distances():
    real, real_labels = sample(0)
    fake, conditions = sample(1)
    predicted = probabilities(fake).argmax(axis=1)
    permuted = np.random.default_rng(2).permutation(conditions)
    assert accuracy(predicted, conditions) > 0.98
    assert accuracy(predicted, permuted) == pytest.approx(1 / 3, abs=0.06)
    assert per_class_accuracy(predicted, permuted, 3) == pytest.approx([1 / 3] * 3, abs=0.1)
    requested = per_class_frechet_distance(real, real_labels, fake, conditions, 3)
    wrong = per_class_frechet_distance(real, real_labels, fake, permuted, 3)
    assert all(wrong[label] > 10 * requested[label] for label in range(3))


def test_the_order_of_rows_and_a_common_rotation_and_shift_change_nothing():
    real, fake = sample(0, 300)[0].astype(np.float64), sample(1, 300)[0].astype(np.float64)
    rng = np.random.default_rng(2)
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    for metric in (frechet_distance, precision_recall_density_coverage, nearest_neighbour_test):
        expected = metric(real, fake)
        assert metric(rng.permutation(real), rng.permutation(fake)) == pytest.approx(expected, rel=1e-6)
        assert metric(real @ rotation + 3, fake @ rotation + 3) == pytest.approx(expected, rel=1e-6)
    # The kernel is invariant to rotations, but not to shifts.
    assert kernel_distance(real @ rotation, fake @ rotation) == pytest.approx(kernel_distance(real, fake), rel=1e-6)
