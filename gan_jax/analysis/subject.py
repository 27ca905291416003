"""What every analysis is handed: a trained run, its data, a classifier, and images drawn once for all; how it draws.

An analysis is a function (subject, folder) -> flat dict of numbers that JSON can hold, finite or None, the two that say
most first; it writes <its name>*.png into the folder, or raises NotApplicable.
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
    """An analysis has nothing to say about this run; the message is why."""


class Examples(NamedTuple):
    """images uint8 [N, H, W, C], labels int [N]; what the classifier sees: features [N, F], probabilities [N, K].

    labels: the true ones of real images, the conditions of generated ones; balanced numbers that say nothing where the
    generator takes no label.
    """

    images: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The classifier's class, int [N]."""
        return np.argmax(self.probabilities, axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A run under analysis.

    extract: uint8 [N, H, W, C] -> (features [N, F], probabilities [N, K]); features_name: what it is called in results.
    num_images: generated images in `generated`. conditional: whether the generator sees labels.
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

        One compiled program serves every call: labels enter as rows of weights, and the last batch is filled up. A
        generator with noise layers draws the same noise at the same place of a batch.
        """
        weights = self.weights(labels) if np.ndim(labels) == 1 else np.asarray(labels, np.float32)

        def images(index: int, *batch: np.ndarray) -> np.ndarray:
            key = jax.random.fold_in(jax.random.key(self.seed), index)
            return to_uint8(self._program(self.run.state, key, *batch))

        return in_batches(images, [np.asarray(z, np.float32), weights], _BATCH_SIZE)

    @functools.cached_property
    def _program(self) -> Callable:
        return compiler.jit(self.run.gan.generate)

    def see(self, images: np.ndarray, labels: np.ndarray) -> Examples:
        """Images with what the classifier says of them."""
        return Examples(images, labels, *self.extract(images))

    @functools.cached_property
    def z(self) -> np.ndarray:
        """z [num_images, Z] of `generated`."""
        return self.draw_z(self.num_images)

    @functools.cached_property
    def generated(self) -> Examples:
        """`num_images` generated images, the conditions 0, 1, ..., K - 1, 0, 1, ..."""
        labels = balanced_labels(self.num_images, self.dataset.num_classes)
        return self.see(self.generate(self.z, labels), labels)

    @functools.cached_property
    def train(self) -> Examples:
        """All training images."""
        return self.see(*self.dataset.train)

    @functools.cached_property
    def test(self) -> Examples:
        """All test images."""
        return self.see(*self.dataset.test)

    def some(self, split: Split, most: int) -> Split:
        """At most `most` random images of a split, the same ones every time."""
        chosen = np.random.default_rng(self.seed).permutation(len(split.labels))[:most]
        return Split(split.images[chosen], split.labels[chosen])


def figure(rows: int, columns: int, width: float, height: float, **kwargs: Any) -> tuple[Any, np.ndarray]:
    """A matplotlib figure of width x height inches, and its axes [rows, columns]. Needs no display and no closing."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), layout="constrained")
    return drawn, drawn.subplots(rows, columns, squeeze=False, **kwargs)


def show(axes: Any, images: np.ndarray, columns: int, title: str = "") -> None:
    """uint8 [N, H, W, C] as one grid of pictures on axes without ticks."""
    picture = grid(images, columns)
    axes.imshow(picture[:, :, 0] if picture.shape[2] == 1 else picture, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[], title=title)
    axes.set_frame_on(False)


def save(drawn: Any, path: pathlib.Path) -> None:
    """The figure as a PNG, which appears whole or not at all."""
    with atomic_write(path) as partial:
        drawn.savefig(partial, format="png", dpi=120)
