"""Ends a run whose score on the validation split has stopped improving."""

from collections.abc import Callable

from ml_collections import ConfigDict

from gan_jax import features
from gan_jax.data.dataset import Dataset
from gan_jax.drawing import balanced_labels, draw
from gan_jax.errors import UserError
from gan_jax.evaluation.frechet import frechet_distance
from gan_jax.types import GanState

METRIC = "validation_frechet_distance"


class EarlyStopping:
    """Scores the generator every so often, and says when to stop.

    The score is the Frechet distance of `num_images` generated images to the validation images, in the features of a
    classifier that has seen neither them nor the test split. `rows` are the run's metrics so far: what a resumed run
    knows of its scores stands there.
    """

    def __init__(self, section: ConfigDict, dataset: Dataset, sample: Callable, rows: list[dict], data_dir: str):
        for knob, least in (("patience", 1), ("num_images", 2)):
            if section[knob] < least:
                raise UserError(f"early_stopping.{knob}={section[knob]}: must be at least {least}")
        if dataset.validation is None:
            raise UserError(
                "early_stopping.every_steps needs images to score on: set --config.data.num_validation=1000"
            )
        self._patience, self._sample = section.patience, sample
        self._labels = balanced_labels(section.num_images, dataset.num_classes)
        self._classify, _ = features.classifier(dataset, data_dir)
        self._real, _ = self._classify(dataset.validation.images)
        self._scores = {row["step"]: row[METRIC] for row in rows if METRIC in row}

    def score(self, step: int, state: GanState) -> float:
        """Frechet distance to the validation images; every step's is kept."""
        generated, _ = self._classify(draw(self._sample, state, self._labels))
        self._scores[step] = frechet_distance(generated, self._real)
        return self._scores[step]

    @property
    def best_step(self) -> int:
        return min(self._scores, key=self._scores.get)

    @property
    def exhausted(self) -> bool:
        """Whether the last `patience` scores brought nothing better."""
        return bool(self._scores) and sum(step > self.best_step for step in self._scores) >= self._patience
