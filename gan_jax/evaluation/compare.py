"""Every score of a set of generated images against a set of real ones, in the features of an extractor."""

from collections.abc import Callable

from gan_jax.data.dataset import Split
from gan_jax.evaluation.classifier_check import weakness
from gan_jax.evaluation.metrics.accuracy import accuracy
from gan_jax.evaluation.metrics.scores import ImageFeatures, Score, per_class_scores, scores


def extract_features(extract: Callable, split: Split) -> ImageFeatures:
    features, probabilities = extract(split.images)
    return ImageFeatures(features, split.labels, probabilities)


def entries(name: str, score: Score) -> dict:
    """The three entries of a score in a result."""
    return {name: score.value, f"{name}_real": score.real, f"{name}_standard_error": score.standard_error}


def compare(
    extract: Callable,
    generated: Split,
    real: Split,
    train: Split | None,
    validation: Split | None,
    class_names: tuple[str, ...],
    *,
    has_conditions: bool,
    knows_classes: bool,
) -> dict:
    """The entries of a result: <score>, <score>_real and <score>_standard_error, and what they say of the classes.

    extract: see evaluation/features.py.
    train: the images that the generator was trained on, for the scores of copies and bins; None to skip them.
    validation: other real images, as a reference of these scores; None without any.
    has_conditions: whether the labels of the generated images are the classes that they were to show.
    knows_classes: whether the probabilities of the extractor are of the classes `class_names`.
    """
    features = {name: extract_features(extract, split) for name, split in (("generated", generated), ("real", real))}
    values = scores(
        **features,
        all_train=None if train is None else extract_features(extract, train).features,
        conditional=has_conditions and knows_classes,
        by_class=has_conditions,
        validation=None if train is None or validation is None else extract_features(extract, validation).features,
    )
    result = _classifier_entries(features["real"], class_names) if knows_classes else {}
    for name, score in values.items():
        result |= entries(name, score)
    if has_conditions:
        result |= per_class_scores(features["generated"], features["real"], len(class_names), knows_classes)
        result["classes"] = list(class_names)  # of the lists by class
    return result


def _classifier_entries(real: ImageFeatures, class_names: tuple[str, ...]) -> dict:
    """The accuracy of the scoring classifier on the real images, which it has not seen, and a note if it is weak."""
    result = {"classifier_accuracy": accuracy(real.predicted, real.labels)}
    note = weakness(real.predicted, real.labels, class_names)
    return result | {"classifier_accuracy_note": note} if note else result
