"""All scores of a set of generated images, each with the same score of held-out real images."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.accuracy import accuracy, per_class_accuracy
from gan_jax.evaluation.metrics.bins import different_bins, k_means
from gan_jax.evaluation.metrics.extrapolation import extrapolated_frechet_distance
from gan_jax.evaluation.metrics.frechet import frechet_distance, frechet_standard_error
from gan_jax.evaluation.metrics.inception_score import classifier_score
from gan_jax.evaluation.metrics.kernel import kernel_distance, kernel_estimate
from gan_jax.evaluation.metrics.memorization import data_copying, nearer_to_train
from gan_jax.evaluation.metrics.parts import halves_by_class, parts_standard_errors, random_parts
from gan_jax.evaluation.metrics.per_class import per_class_frechet_distance
from gan_jax.evaluation.metrics.prdc import precision_recall_density_coverage
from gan_jax.evaluation.metrics.two_sample import nearest_neighbour_test

# The kernel distance takes a time that grows with images^2 features: about half a minute for either pair of limits.
_MANY_FEATURES = 4096
_KERNEL_IMAGES, _KERNEL_IMAGES_OF_MANY_FEATURES = 5000, 1500
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
    real: of held-out real images in the place of the generated ones; None if they are too few.
    standard_error: of `value`, over other draws of all images; None if unknown.
    """

    value: float
    real: float | None
    standard_error: float | None = None


def _draw(features: np.ndarray, size: int, seed: int = 0) -> np.ndarray:
    """`size` random rows: the first rows of a test split can be another kind than the last ones."""
    return features[np.random.default_rng(seed).permutation(len(features))[:size]]


def _distances(generated: np.ndarray, real: np.ndarray, halves: list[np.ndarray]) -> Iterator[tuple[str, Score]]:
    num_features = real.shape[1]
    floor = _frechet_floor(halves, len(generated), len(real))
    value, error = frechet_distance(generated, real), frechet_standard_error(generated, real)
    yield "frechet_distance", Score(value, floor, error)
    if min(len(generated), len(real)) >= 4 * num_features:
        limits = [
            extrapolated_frechet_distance(b, a, num_points=8).distance if len(b) >= 4 * num_features else None
            for a, b in ((generated, real), halves)
        ]
        yield "frechet_distance_extrapolated", Score(*limits)
    most = _KERNEL_IMAGES if num_features <= _MANY_FEATURES else _KERNEL_IMAGES_OF_MANY_FEATURES
    kernel = kernel_estimate(_draw(generated, most, seed=1), _draw(real, most))
    floor = kernel_distance(*(half[:most] for half in halves)) if len(halves[1]) >= 2 else None
    yield "kernel_distance", Score(kernel.value, floor, kernel.standard_error)


def _frechet_floor(halves: list[np.ndarray], num_generated: int, num_real: int) -> float | None:
    """The Frechet distance that as many real images as generated ones would have; None if there are too few.

    Of two samples of one distribution it is proportional to 1 / N + 1 / M, if there are more images than features. So
    the distance of the halves is multiplied by the ratio of these sums.
    """
    if len(halves[1]) < 2 * halves[1].shape[1]:
        return None
    sizes = 1 / num_generated + 1 / num_real, sum(1 / len(half) for half in halves)
    return frechet_distance(*halves) * sizes[0] / sizes[1]


def _neighbour_scores(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    test = nearest_neighbour_test(real, fake)
    shares = precision_recall_density_coverage(real, fake)._asdict()
    return shares | {"two_sample_accuracy": test.accuracy, "two_sample_p_value": test.p_value}


def _neighbours(generated: np.ndarray, real: np.ndarray, halves: list[np.ndarray]) -> Iterator[tuple[str, Score]]:
    size = min(len(generated), len(real))
    if size < 10:
        return
    a, b = _draw(generated, size, seed=1), _draw(real, size)
    # Both sets need one size.
    first, second = (half[: len(halves[1])] for half in halves)
    values = _neighbour_scores(b, a)
    real_values = _neighbour_scores(second, first) if len(second) >= 10 else {}
    errors = parts_standard_errors(lambda *parts: list(_neighbour_scores(*parts).values()), b, a)
    errors = dict(zip(values, errors, strict=True)) if errors else {}
    errors.pop("two_sample_p_value", None)  # It has no error: it is a statement about the one of the accuracy.
    for name, value in values.items():
        yield name, Score(value, real_values.get(name), errors.get(name))


def _modes_and_copies(
    generated: np.ndarray, real: np.ndarray, all_train: np.ndarray, validation: np.ndarray | None
) -> Iterator[tuple[str, Score]]:
    bins = min(100, len(all_train) // 10)
    if bins > 1:
        # The centres are fitted to a subset of the images; the shares are those of all images.
        centres = k_means(_draw(all_train, _MAX_BINNED), bins)
        results = [different_bins(all_train, features, centres=centres) for features in (generated, real)]
        yield "different_bins", Score(*(result.share_different for result in results))
    values, error = _copy_scores(generated, real, all_train)
    real_values = _copy_scores(validation, real, all_train)[0] if validation is not None and len(validation) > 1 else {}
    for name, value in values.items():
        yield name, Score(value, real_values.get(name), error if name == "nearer_to_train" else None)


def _copy_scores(images: np.ndarray, real: np.ndarray, all_train: np.ndarray) -> tuple[dict[str, float], float]:
    """Scores of copies of training images, and the standard error of the first."""
    nearer, copying = nearer_to_train(images, all_train, real), data_copying(images, all_train, real)
    values = {"nearer_to_train": nearer.share, "nearer_to_train_p_value": nearer.p_value}
    return values | {"data_copying_z": copying.z_score}, nearer.standard_error


def _classes(generated: ImageFeatures, real: ImageFeatures, conditional: bool) -> Iterator[tuple[str, Score]]:
    if generated.probabilities is None:
        return
    splits = min(10, len(generated.labels))
    # The score is lower for fewer images in a split, so the real images have splits of the same size.
    real_splits = min(max(1, round(splits * len(real.labels) / len(generated.labels))), len(real.labels))
    score, real_score = (
        classifier_score(images.probabilities, number) for images, number in ((generated, splits), (real, real_splits))
    )
    # The standard deviation has the number of splits in its denominator, that of a standard error one less.
    error = score.standard_deviation / math.sqrt(splits - 1)
    yield "classifier_score", Score(score.mean, real_score.mean, error)
    if conditional:
        value = accuracy(generated.predicted, generated.labels)
        error = math.sqrt(value * (1 - value) / len(generated.labels))
        yield "conditional_accuracy", Score(value, accuracy(real.predicted, real.labels), error)


def split_halves(real: ImageFeatures, by_class: bool) -> list[np.ndarray]:
    """The features of two random halves of the images; by_class: of those of each class."""
    rows = halves_by_class(real.labels) if by_class else random_parts(len(real.labels), 2)
    return [real.features[half] for half in rows]


def scores(
    generated: ImageFeatures,
    real: ImageFeatures,
    all_train: np.ndarray | None,
    conditional: bool,
    by_class: bool = False,
    validation: np.ndarray | None = None,
) -> dict[str, Score]:
    """All scores by name.

    real: the reported split, which was used neither to train nor to choose the generator.
    all_train: [N, F], features of all training images; None to skip the scores that need them (bins, copies).
    conditional: whether the generated images have labels that the classifier knows.
    by_class: whether the generated images have given numbers of each class, so that these do not vary by chance.
    validation: [V, F], features of images that were held out of the training split; None without any.

    `Score.real` is the score of real images that no training has used, so what a perfect generator has: one random half
    of the reported split against the other half (by_class: half of each class). The Frechet distance of the halves is
    converted to the numbers of images of `value`; of two samples of one distribution, the other scores hardly depend on
    the number of images. conditional_accuracy, classifier_score and different_bins need no second set: `real` is that
    of the whole split. Of nearer_to_train and data_copying_z it is the score of the validation images: they are of the
    distribution of the training images, and no copies of them. The test images can be of another distribution; then
    chance is not 1/2.
    """
    sets = generated.features, real.features, split_halves(real, by_class)
    return {
        **dict(_classes(generated, real, conditional)),
        **dict(_distances(*sets)),
        **dict(_neighbours(*sets)),
        **({} if all_train is None else dict(_modes_and_copies(*sets[:2], all_train, validation))),
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
