"""Validation scores during training: computes them, saves the best state, and decides about early stopping."""

import functools
import logging
import time
from collections.abc import Callable

from ml_collections import ConfigDict

from gan_jax.data.dataset import Dataset
from gan_jax.devices import hosts
from gan_jax.evaluation import features
from gan_jax.evaluation.classifier_check import weakness
from gan_jax.evaluation.generate import balanced_labels, classify, generate
from gan_jax.evaluation.metrics.accuracy import accuracy
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.metrics.prdc import precision_recall_density_coverage
from gan_jax.evaluation.recipes import FLIPS
from gan_jax.gan.types import GanState
from gan_jax.runs.best import METRIC, SECONDS, best_step, is_exhausted, scores
from gan_jax.runs.checkpoint import Checkpoints
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


def check_validation(section: ConfigDict, dataset: Dataset) -> None:
    """UserError if the settings in config.eval are wrong, or the data set has too few images.

    A warning if the data set has one class only.
    """
    if dataset.num_classes == 1 and (section.every_steps or section.at_end) and hosts.leads():
        logging.getLogger(__name__).warning("%s", features.ONE_CLASS)
    choose(FLIPS, section.classifier_flips, "eval.classifier_flips")
    if section.at_end and section.at_end_num_images < 2:
        raise UserError(f"eval.at_end_num_images={section.at_end_num_images}: must be at least 2")
    for name, split in (("test", dataset.test), ("train", dataset.train)):
        if section.at_end and len(split.labels) < 2:
            raise UserError(
                f"the scores at the end need 2 or more images of each split, and the {name} split has "
                f"{len(split.labels)}; set --config.eval.at_end=false"
            )
    if not section.every_steps:
        return
    for knob, least in (("patience", 0), ("num_images", 10)):
        if section[knob] < least:
            raise UserError(f"eval.{knob}={section[knob]}: must be at least {least}")
    if dataset.validation is None or len(dataset.validation.labels) < 10:
        raise UserError(
            "eval.every_steps needs 10 or more held-out images: set --config.data.num_validation=10 or more, or "
            "--config.eval.every_steps=0 for no scores while training"
        )


@functools.cache
def _warn_once(line: str) -> None:
    """A warning, unless the line is "", or another seed of this process has given it."""
    if line:
        logging.getLogger(__name__).warning("%s", line)


def _comparable(rows: list[dict]) -> list[dict]:
    """The rows without scores from before version 2 of the scores: MNIST's digits had another classifier then.

    Those have precision and recall with k = 5, under names without a k.
    """
    old_steps = [row["step"] for row in rows if "validation_precision" in row]
    if old_steps:
        logging.getLogger(__name__).warning(
            "the validation scores up to step %d are of an earlier version; later ones are not compared with them",
            max(old_steps),
        )
    return [row for row in rows if "validation_precision" not in row]


class Validation:
    """Validation scores of one run. No score uses the test split.

    The scores are the Frechet distance, precision and recall of `eval.num_images` generated images against the
    validation images; for a conditional generator also the conditional accuracy; for a discriminator with classes also
    its accuracy. Features are those of a classifier that was trained on neither the validation nor the test images
    (that of MNIST's digits: on no test images). It is trained, or read from a file, when the first score is due. Images
    of one class have thumbnails as features.

    section: config.eval.
    sample: compiled Gan.sample.
    discriminate: compiled Gan.discriminate for a discriminator with classes, else None.
    rows: the run's metrics so far; a resumed run reads its earlier scores from them.
    checkpoints: the checkpoints of the best states.
    """

    def __init__(
        self,
        section: ConfigDict,
        dataset: Dataset,
        sample: Callable,
        conditional: bool,
        discriminate: Callable | None,
        rows: list[dict],
        checkpoints: Checkpoints,
        data_dir: str,
    ):
        self._patience, self._sample, self._conditional = section.patience, sample, conditional
        self._dataset, self._data_dir, self._extract = dataset, data_dir, None
        self._flips = section.classifier_flips
        self._discriminate = discriminate
        self._labels = balanced_labels(section.num_images, dataset.num_classes)
        self._checkpoints = checkpoints
        self._scores = scores(_comparable(rows))
        self.seconds = 0.0

    def score(self, step: int, state: GanState) -> dict[str, float]:
        """The row of scores of a step. Saves the state if its Frechet distance is the lowest so far."""
        if self._extract is None:
            self._extract, _ = features.EXTRACTORS["classifier"](self._dataset, self._data_dir, "", self._flips)
            self._real, probabilities = self._extract(self._dataset.validation.images)
            if probabilities is not None:
                predicted, labels = probabilities.argmax(axis=1), self._dataset.validation.labels
                _warn_once(weakness(predicted, labels, self._dataset.class_names))
        began = time.monotonic()
        generated, probabilities = self._extract(generate(self._sample, state, self._labels))
        prdc = precision_recall_density_coverage(self._real, generated)
        row = {
            METRIC: frechet_distance(generated, self._real),
            "validation_precision_k3": prdc.precision,
            "validation_recall_k3": prdc.recall,
        }
        if self._conditional and probabilities is not None:
            row["validation_conditional_accuracy"] = accuracy(probabilities.argmax(axis=1), self._labels)
        if self._discriminate:
            split, num_classes = self._dataset.validation, self._dataset.num_classes
            classes = classify(self._discriminate, state, split.images, num_classes).argmax(axis=1)
            row["validation_discriminator_accuracy"] = accuracy(classes, split.labels)
        self._scores[step] = row[METRIC]
        row[SECONDS] = time.monotonic() - began
        self.seconds += row[SECONDS]
        if self.best_step == step:
            self._checkpoints.save(step, state)
        return row

    @property
    def any(self) -> bool:
        """Whether there is at least one score."""
        return bool(self._scores)

    @property
    def best_step(self) -> int | None:
        return best_step(self._scores)

    @property
    def exhausted(self) -> bool:
        """Whether the last `patience` scores are no improvement; always False for a patience of 0."""
        return is_exhausted(self._scores, self._patience)

    def summary(self, seconds: float) -> str:
        """One line with the best step and the share of scoring in `seconds`, the training time of this process."""
        return (
            f"validation: Frechet distance best at step {self.best_step} ({self._scores[self.best_step]:.2f}); "
            f"{len(self._scores)} scores, {self.seconds / seconds:.1%} of the time"
        )
