"""All scores of a set of generated images, each with the same score of real images."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.accuracy import accuracy, per_class_accuracy
from gan_jax.evaluation.metrics.bins import different_bins, k_means
from gan_jax.evaluation.metrics.bootstrap import bootstrap_standard_error
from gan_jax.evaluation.metrics.extrapolation import extrapolated_frechet_distance
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.metrics.inception_score import classifier_score
from gan_jax.evaluation.metrics.kernel import kernel_distance_of_subsets
from gan_jax.evaluation.metrics.memorization import data_copying, nearer_to_train
from gan_jax.evaluation.metrics.per_class import per_class_frechet_distance
from gan_jax.evaluation.metrics.prdc import precision_recall_density_coverage
from gan_jax.evaluation.metrics.two_sample import nearest_neighbour_test

_NUM_PARTS = 5
_RESAMPLES = 10
_MANY_FEATURES = 4096
_SUBSETS = 50
_MAX_BINNED = 20_000  # images that k-means uses


class ImageFeatures(NamedTuple):
    """The features of a set of images.

    features: [N, F].
    labels: [N], true labels of real images, or the conditions of generated images.
    probabilities: [N, K] of the classes; None if the feature extractor is no classifier.
    """

    features: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray | None

    @property
    def predicted(self) -> np.ndarray:
        return np.argmax(self.probabilities, axis=1)


class Score(NamedTuple):
    """A score.

    value: of the generated images.
    real: the same of as many TRAINING images.
    standard_error: of `value`; None if unknown.
    """

    value: float
    real: float
    standard_error: float | None = None


def split_standard_errors(metric: Callable, *features: np.ndarray) -> list[float] | None:
    """Standard errors of a metric's values, from 5 disjoint parts of the arrays; None for fewer than 50 rows.

    The standard error is the standard deviation over the parts, divided by sqrt(5). It is for metrics of nearest
    neighbours, for which a bootstrap is invalid. It is rough, because such a metric has another mean at a fifth of the
    images.
    """
    if min(map(len, features)) < 10 * _NUM_PARTS:
        return None
    parts = zip(*(np.array_split(array, _NUM_PARTS) for array in features), strict=True)
    return list(np.std([metric(*part) for part in parts], axis=0, ddof=1) / math.sqrt(_NUM_PARTS))


def _distances(generated: ImageFeatures, real: ImageFeatures, train: ImageFeatures) -> Iterator[tuple[str, Score]]:
    a, b, c = generated.features, real.features, train.features
    # The eigenvalues of 2,048 features take seconds, hence fewer resamples.
    resamples = _RESAMPLES if a.shape[1] <= 512 else 3
    error = bootstrap_standard_error(frechet_distance, a, b, num_resamples=resamples)
    yield "frechet_distance", Score(frechet_distance(a, b), frechet_distance(c, b), error)
    if min(len(a), len(b), len(c)) >= 4 * a.shape[1]:
        limits = [extrapolated_frechet_distance(b, x, num_points=8).distance for x in (a, c)]
        yield "frechet_distance_extrapolated", Score(*limits)
    size = min(1000, len(a), len(b), len(c))
    # The pixels of 64 x 64 colour images would take minutes; the standard error says that it is of fewer subsets.
    subsets = _SUBSETS if a.shape[1] <= _MANY_FEATURES else _SUBSETS // 10
    kernel, real_kernel = (kernel_distance_of_subsets(x, b, subsets, size) for x in (a, c))
    yield "kernel_distance", Score(kernel.mean, real_kernel.mean, kernel.standard_error)


def _neighbours(generated: ImageFeatures, real: ImageFeatures, train: ImageFeatures) -> Iterator[tuple[str, Score]]:
    size = min(len(generated.features), len(real.features), len(train.features))
    a, b, c = (images.features[:size] for images in (generated, real, train))
    if size < 10:
        return
    values, real_values = (precision_recall_density_coverage(b, x) for x in (a, c))
    errors = split_standard_errors(precision_recall_density_coverage, b, a) or [None] * len(values)
    for name, value, real_value, error in zip(values._fields, values, real_values, errors, strict=True):
        yield name, Score(value, real_value, error)
    test, real_test = (nearest_neighbour_test(b, x) for x in (a, c))
    errors = split_standard_errors(lambda real, fake: [nearest_neighbour_test(real, fake).accuracy], b, a)
    yield "two_sample_accuracy", Score(test.accuracy, real_test.accuracy, errors and errors[0])
    yield "two_sample_p_value", Score(test.p_value, real_test.p_value)


def _modes_and_copies(
    generated: ImageFeatures, real: ImageFeatures, train: ImageFeatures, all_train: np.ndarray
) -> Iterator[tuple[str, Score]]:
    bins = min(100, len(all_train) // 10)
    if bins > 1:
        # The centres are fitted to a subset of the images; the shares are those of all images.
        rows = np.random.default_rng(0).permutation(len(all_train))[:_MAX_BINNED]
        centres = k_means(all_train[rows], bins)
        results = [different_bins(all_train, x.features, centres=centres) for x in (generated, real)]
        # `real` is the value of the reported split, because the bins are fitted to the training images.
        yield "different_bins", Score(*(result.share_different for result in results))
    nearer = nearer_to_train(generated.features, all_train, real.features)
    # The standard deviation of the share by chance, from its z-score.
    error = abs(nearer.share - 0.5) / abs(nearer.z_score) if nearer.z_score else None
    yield "nearer_to_train", Score(nearer.share, 0.5, error)
    yield "nearer_to_train_p_value", Score(nearer.p_value, 0.5)
    yield "data_copying_z", Score(data_copying(generated.features, all_train, real.features).z_score, 0.0)


def _classes(
    generated: ImageFeatures, real: ImageFeatures, train: ImageFeatures, conditional: bool
) -> Iterator[tuple[str, Score]]:
    if generated.probabilities is None:
        return
    score, train_score = (
        classifier_score(images.probabilities, min(10, len(images.labels))) for images in (generated, train)
    )
    splits = min(10, len(generated.labels))
    yield "classifier_score", Score(score.mean, train_score.mean, score.standard_deviation / math.sqrt(splits))
    if conditional:
        value = accuracy(generated.predicted, generated.labels)
        error = math.sqrt(value * (1 - value) / len(generated.labels))
        yield "conditional_accuracy", Score(value, accuracy(real.predicted, real.labels), error)


def scores(
    generated: ImageFeatures, real: ImageFeatures, train: ImageFeatures, all_train: np.ndarray | None, conditional: bool
) -> dict[str, Score]:
    """All scores by name.

    real: the reported split.
    train: as many random training images as generated images (or all, if there are fewer), for `Score.real`.
    all_train: [N, F], features of all training images; None to skip the scores that need them (bins, copies).

    For a few scores, `Score.real` is no value of training images: for conditional_accuracy it is the accuracy of the
    classifier on the reported split, for different_bins the value of the reported split, and for nearer_to_train and
    data_copying_z the value of chance.
    """
    return {
        **dict(_classes(generated, real, train, conditional)),
        **dict(_distances(generated, real, train)),
        **dict(_neighbours(generated, real, train)),
        **({} if all_train is None else dict(_modes_and_copies(generated, real, train, all_train))),
    }


def per_class_scores(
    generated: ImageFeatures, real: ImageFeatures, num_classes: int, with_accuracy: bool
) -> dict[str, list[float | None]]:
    """Frechet distance and accuracy of the images generated for each class; None for a class with too few images.

    with_accuracy: whether the probabilities are those of the data's classes.
    """
    distances = per_class_frechet_distance(
        real.features, real.labels, generated.features, generated.labels, num_classes
    )
    result = {"per_class_frechet_distance": [distances[label] for label in range(num_classes)]}
    if with_accuracy:
        result["per_class_accuracy"] = per_class_accuracy(generated.predicted, generated.labels, num_classes)
    return result
