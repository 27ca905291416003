"""The input of every analysis (a trained run, its data, a classifier, generated images), and plotting functions.

An analysis is a function (subject, folder) -> flat dict of JSON numbers, finite or None, the two most important first.
It writes <name of the analysis>*.png to the folder, or raises NotApplicable.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from gan_jax.data.dataset import Dataset, Split, to_uint8
from gan_jax.devices import compiler
from gan_jax.evaluation.batching import in_batches
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.runs.load import LoadedRun
from gan_jax.runs.pictures import grid
from gan_jax.system.files import atomic_write

_BATCH_SIZE = 500


class NotApplicable(Exception):
    """An analysis does not apply to this run; the message is the reason."""


class Examples(NamedTuple):
    """Images with their features.

    images: uint8 [N, H, W, C].
    labels: int [N], the true labels of real images, or the conditions of generated ones. If the generator takes no
        label, they are balanced numbers without a meaning.
    features: [N, F], of the classifier.
    probabilities: [N, K], of the classifier.
    """

    images: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The most probable class, int [N]."""
        return np.argmax(self.probabilities, axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A run to analyse.

    extract: uint8 [N, H, W, C] -> (features [N, F], probabilities [N, K]).
    features_name: name of the features in results.
    num_images: number of images in `generated`.
    conditional: whether the generator takes labels.
    """

    run: LoadedRun
    dataset: Dataset
    extract: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    features_name: str
    seed: int
    num_images: int
    conditional: bool

    def draw_z(self, num_images: int, stream: int = 0) -> np.ndarray:
        """z float32 [N, Z] from the run's prior; another `stream` is an independent draw."""
        key = jax.random.fold_in(jax.random.key(self.seed), stream)
        return np.array(self.run.gan.prior(key, num_images))

    def weights(self, labels: np.ndarray) -> np.ndarray:
        """One-hot rows float32 [N, K] of labels int [N]."""
        return np.eye(self.dataset.num_classes, dtype=np.float32)[labels]

    def generate(self, z: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] of z [N, Z] and labels int [N], or float [N, K] for points between classes.

        All calls use one compiled program: labels become rows of weights, and the last batch is padded. A generator
        with noise layers gets the same noise at the same position of a batch in every call.
        """
        weights = self.weights(labels) if np.ndim(labels) == 1 else np.asarray(labels, np.float32)

        def images(index: int, *batch: np.ndarray) -> np.ndarray:
            key = jax.random.fold_in(jax.random.key(self.seed), index)
            return to_uint8(self._program(self.run.state, key, *batch))

        return in_batches(images, [np.asarray(z, np.float32), weights], _BATCH_SIZE)

    @functools.cached_property
    def _program(self) -> Callable:
        return compiler.jit(self.run.gan.generate)

    def with_features(self, images: np.ndarray, labels: np.ndarray) -> Examples:
        """Images with the classifier's features and probabilities."""
        return Examples(images, labels, *self.extract(images))

    @functools.cached_property
    def z(self) -> np.ndarray:
        """z [num_images, Z] of `generated`."""
        return self.draw_z(self.num_images)

    @functools.cached_property
    def generated(self) -> Examples:
        """`num_images` generated images, the conditions 0, 1, ..., K - 1, 0, 1, ..."""
        labels = balanced_labels(self.num_images, self.dataset.num_classes)
        return self.with_features(self.generate(self.z, labels), labels)

    @functools.cached_property
    def train(self) -> Examples:
        """All training images."""
        return self.with_features(*self.dataset.train)

    @functools.cached_property
    def test(self) -> Examples:
        """All test images."""
        return self.with_features(*self.dataset.test)

    def subset(self, split: Split, max_images: int) -> Split:
        """At most `max_images` random images of a split, the same in every call."""
        rows = np.random.default_rng(self.seed).permutation(len(split.labels))[:max_images]
        return Split(split.images[rows], split.labels[rows])


def figure(rows: int, columns: int, width: float, height: float, **kwargs: Any) -> tuple[Any, np.ndarray]:
    """A matplotlib figure of width x height inches, and its axes [rows, columns]. It works without a display."""
    from matplotlib.figure import Figure

    plot = Figure(figsize=(width, height), layout="constrained")
    return plot, plot.subplots(rows, columns, squeeze=False, **kwargs)


def show(axes: Any, images: np.ndarray, columns: int, title: str = "") -> None:
    """Shows uint8 [N, H, W, C] as a grid of images on axes without ticks."""
    picture = grid(images, columns)
    axes.imshow(picture[:, :, 0] if picture.shape[2] == 1 else picture, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[], title=title)
    axes.set_frame_on(False)


def save(plot: Any, path: pathlib.Path) -> None:
    """Writes a figure as a PNG. The write is atomic."""
    with atomic_write(path) as partial:
        plot.savefig(partial, format="png", dpi=120)
