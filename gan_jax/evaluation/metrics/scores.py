"""Every score of a set of generated images, with what real images get beside it."""

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

_SPLITS = 5
_RESAMPLES = 10
_SUBSETS = 50
_BINNED = 20_000


class ImageFeatures(NamedTuple):
    """Images as a feature extractor sees them: features [N, F], labels [N] (true ones, or conditions).

    probabilities [N, K] over classes, None where the extractor is no classifier.
    """

    features: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray | None

    @property
    def predicted(self) -> np.ndarray:
        return np.argmax(self.probabilities, axis=1)


class Score(NamedTuple):
    """value: of the generated images; real: of as many TRAINING images; standard_error: None if unknown."""

    value: float
    real: float
    standard_error: float | None = None


def split_standard_errors(metric: Callable, *features: np.ndarray) -> list[float] | None:
    """Standard deviations of a metric's values over 5 disjoint parts of the arrays, by sqrt(5); None below 50 rows.

    For metrics of nearest neighbours, whose values resampling with replacement would change. A part is a fifth of the
    images, at which such a metric also has another mean: this is its spread alone, and a rough one.
    """
    if min(map(len, features)) < 10 * _SPLITS:
        return None
    parts = zip(*(np.array_split(array, _SPLITS) for array in features), strict=True)
    return list(np.std([metric(*part) for part in parts], axis=0, ddof=1) / math.sqrt(_SPLITS))


def _distances(generated: ImageFeatures, real: ImageFeatures, train: ImageFeatures) -> Iterator[tuple[str, Score]]:
    a, b, c = generated.features, real.features, train.features
    # The eigenvalues of 2,048 features take seconds: fewer resamples there.
    resamples = _RESAMPLES if a.shape[1] <= 512 else 3
    error = bootstrap_standard_error(frechet_distance, a, b, num_resamples=resamples)
    yield "frechet_distance", Score(frechet_distance(a, b), frechet_distance(c, b), error)
    if min(len(a), len(b), len(c)) >= 4 * a.shape[1]:
        limits = [extrapolated_frechet_distance(b, x, num_points=8).distance for x in (a, c)]
        yield "frechet_distance_extrapolated", Score(*limits)
    size = min(1000, len(a), len(b), len(c))
    kernel, of_real = (kernel_distance_of_subsets(x, b, _SUBSETS, size) for x in (a, c))
    yield "kernel_distance", Score(kernel.mean, of_real.mean, kernel.standard_error)


def _neighbours(generated: ImageFeatures, real: ImageFeatures, train: ImageFeatures) -> Iterator[tuple[str, Score]]:
    size = min(len(generated.features), len(real.features), len(train.features))
    a, b, c = (seen.features[:size] for seen in (generated, real, train))
    if size < 10:
        return
    values, real_values = (precision_recall_density_coverage(b, x) for x in (a, c))
    errors = split_standard_errors(precision_recall_density_coverage, b, a) or [None] * len(values)
    for name, value, real_value, error in zip(values._fields, values, real_values, errors, strict=True):
        yield name, Score(value, real_value, error)
    test, of_real = (nearest_neighbour_test(b, x) for x in (a, c))
    errors = split_standard_errors(lambda real, fake: [nearest_neighbour_test(real, fake).accuracy], b, a)
    yield "two_sample_accuracy", Score(test.accuracy, of_real.accuracy, errors and errors[0])
    yield "two_sample_p_value", Score(test.p_value, of_real.p_value)


def _modes_and_copies(
    generated: ImageFeatures, real: ImageFeatures, train: ImageFeatures, all_train: np.ndarray
) -> Iterator[tuple[str, Score]]:
    bins = min(100, len(all_train) // 10)
    if bins > 1:
        # Where the bins lie is found on some of the images; their shares are those of all.
        some = np.random.default_rng(0).permutation(len(all_train))[:_BINNED]
        centres = k_means(all_train[some], bins)
        found = [different_bins(all_train, x.features, centres=centres) for x in (generated, real)]
        shares = [result.share_different for result in found]
        # Real images here are the held-out ones: the bins are fitted to the training images.
        yield "different_bins", Score(*shares)
    near = nearer_to_train(generated.features, all_train, real.features)
    # The share's own z-score says how wide it is by chance.
    error = abs(near.share - 0.5) / abs(near.z_score) if near.z_score else None
    yield "nearer_to_train", Score(near.share, 0.5, error)
    yield "nearer_to_train_p_value", Score(near.p_value, 0.5)
    yield "data_copying_z", Score(data_copying(generated.features, all_train, real.features).z_score, 0.0)


def _classes(
    generated: ImageFeatures, real: ImageFeatures, train: ImageFeatures, conditional: bool
) -> Iterator[tuple[str, Score]]:
    if generated.probabilities is None:
        return
    score, of_train = (classifier_score(seen.probabilities, min(10, len(seen.labels))) for seen in (generated, train))
    splits = min(10, len(generated.labels))
    yield "classifier_score", Score(score.mean, of_train.mean, score.standard_deviation / math.sqrt(splits))
    if conditional:
        value = accuracy(generated.predicted, generated.labels)
        error = math.sqrt(value * (1 - value) / len(generated.labels))
        yield "conditional_accuracy", Score(value, accuracy(real.predicted, real.labels), error)


def scores(
    generated: ImageFeatures, real: ImageFeatures, train: ImageFeatures, all_train: np.ndarray | None, conditional: bool
) -> dict[str, Score]:
    """Every score by its name.

    real: the split that is reported on. train: as many random training images as there are generated ones, or all, for
    the `real` values; all_train [N, F]: features of every training image, None to leave out the scores
    that need them (bins, copies).
    `real` of conditional_accuracy is the classifier's accuracy on the reported split, that of different_bins the
    reported split's own value; those of nearer_to_train and data_copying are chance.
    """
    return {
        **dict(_classes(generated, real, train, conditional)),
        **dict(_distances(generated, real, train)),
        **dict(_neighbours(generated, real, train)),
        **({} if all_train is None else dict(_modes_and_copies(generated, real, train, all_train))),
    }


def per_class_scores(generated: ImageFeatures, real: ImageFeatures, num_classes: int) -> dict[str, list[float | None]]:
    """Per class: accuracy and Frechet distance of the images generated for it, None where it has too few."""
    distances = per_class_frechet_distance(
        real.features, real.labels, generated.features, generated.labels, num_classes
    )
    result = {"per_class_frechet_distance": [distances[label] for label in range(num_classes)]}
    if generated.probabilities is not None:
        result["per_class_accuracy"] = per_class_accuracy(generated.predicted, generated.labels, num_classes)
    return result
