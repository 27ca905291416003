"""A data set in memory or in files, its fingerprint, and the conversion of its images."""

import hashlib
from typing import NamedTuple

import numpy as np

from gan_jax.data.pixels import Conversion, fit, to_picture
from gan_jax.data.stored import StoredImages
from gan_jax.system.errors import UserError

_HELD_OUT, _LEAST_HELD_OUT = 500, 10  # validation images, if the config gives no number


class Split(NamedTuple):
    """images uint8 [N, H, W, C] (StoredImages read them from files when indexed), labels int32 [N]."""

    images: np.ndarray | StoredImages
    labels: np.ndarray

    def select(self, rows: np.ndarray) -> "Split":
        """The images of these rows, an array of indices or a mask. Images in files stay there."""
        images = self.images
        return Split(images.select(rows) if isinstance(images, StoredImages) else images[rows], self.labels[rows])

    def in_memory(self) -> "Split":
        """The split with images in memory; of a streamed split that is too large, a fixed random subset."""
        if not isinstance(self.images, StoredImages):
            return self
        chosen = self.images.sample()
        return Split(self.images[chosen], self.labels[chosen])


class Source(NamedTuple):
    """Where images come from. folder: on this machine; "" if the source has none."""

    kind: str
    folder: str = ""

    def __str__(self) -> str:
        return f"{self.kind} in {self.folder}" if self.folder else self.kind


class Dataset(NamedTuple):
    """A data set, split into training, test and validation images.

    name: the set that was loaded.
    source: where it was loaded from.
    requested: the set that the config names; differs from `name` if a fallback was used.
    class_names: a name for each class; labels are positions in it. () if the images have no labels: all are 0 then.
    validation: training images that are held out for model selection; None without any.
    notes: what of the images or labels is not as in their source; one line each, for the user.
    facts: what the image files are: their sizes and modes; for `python -m gan_jax.data`.
    """

    name: str
    source: Source
    requested: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    validation: Split | None = None
    notes: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()

    @property
    def has_labels(self) -> bool:
        return bool(self.class_names)

    @property
    def num_classes(self) -> int:
        """The number of classes; images without labels are one class."""
        return len(self.class_names) or 1

    @property
    def is_streamed(self) -> bool:
        """Whether the images stay in files."""
        return isinstance(self.train.images, StoredImages)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.train.images.shape[1:]

    def fingerprint(self) -> str:
        """sha256 of every image and label. For a streamed split: of the encoded images, as the files contain them."""
        digest = hashlib.sha256()
        for array in (*self.train, *self.test, *(self.validation or ())):
            if isinstance(array, StoredImages):
                digest.update(array.identity())
                continue
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()

    def in_memory(self) -> "Dataset":
        """The data set for scoring, in memory; a split larger than `data.resident_gib` becomes a random subset."""
        return self._replace(train=self.train.in_memory(), test=self.test.in_memory())


def balanced(labels: np.ndarray, num_images: int, rng: np.random.Generator, spared: int = 0) -> np.ndarray:
    """Indices of `num_images` random images, balanced over the classes: class counts differ by one at most.

    If a class has too few images, all of them are used, except `spared` of them.
    """
    classes = rng.permutation(np.unique(labels))
    shuffled = [rng.permutation(np.flatnonzero(labels == label)) for label in classes]
    shuffled = [indices[: len(indices) - spared] for indices in shuffled]
    # The first image of each class, then the second of each, ...: every prefix of this order is balanced.
    rank = np.concatenate([np.arange(len(indices)) for indices in shuffled])
    return np.concatenate(shuffled)[np.argsort(rank, kind="stable")][:num_images]


def hold_out(dataset: Dataset, num_images: int) -> Dataset:
    """Moves `num_images` training images to the validation split: balanced over the classes, the same for every run.

    num_images: -1: 500, or a fifth of the training images (10 at least) if these are fewer than 2,500; none if the
    classes have too few.
    Every class keeps a training image. UserError for another number below 2, or for too many. A data set with a
    validation split keeps that one; 0 leaves it out.
    """
    if dataset.validation:
        return dataset if num_images else dataset._replace(validation=None)
    if not num_images:
        return dataset
    images, labels = dataset.train
    most = len(labels) - dataset.num_classes
    if num_images == -1:
        num_images = min(_HELD_OUT, max(_LEAST_HELD_OUT, len(labels) // 5))
        if num_images > most:
            return dataset
    if not 1 < num_images <= most:
        advice = (
            f"between 2 and {most} of the training images, because every class keeps one"
            if most > 1
            else "too few training images; set --config.data.num_validation=0 --config.eval.every_steps=0"
        )
        raise UserError(f"data.num_validation={num_images}: {advice}")
    held_out = np.zeros(len(labels), bool)
    held_out[balanced(labels, num_images, np.random.default_rng(0), spared=1)] = True
    validation = Split(images[held_out], labels[held_out])
    return dataset._replace(train=dataset.train.select(~held_out), validation=validation)


def to_float(images):
    """uint8 [0, 255] -> float32 [-1, 1], for NumPy and JAX arrays."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def to_uint8(images) -> np.ndarray:
    """float [-1, 1] -> uint8 [0, 255], rounded to the nearest integer, as in an image file."""
    return np.clip(np.rint((np.asarray(images, np.float32) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def convert(split: Split, conversion: Conversion) -> Split:
    """Resizes the images (bilinear), and converts their channels."""
    own = split.images.shape[1:]
    shape, method = conversion.shape(own), conversion.method(own)
    if shape == own:
        return split
    return Split(np.stack([fit(to_picture(image), shape, method) for image in split.images]), split.labels)


def check_shapes(train: Split, other: Split, name: str) -> None:
    """UserError if the images of another split differ from the training images in size or channels."""
    if train.images.shape[1:] == other.images.shape[1:]:
        return
    (*sides, channels), (*other_sides, other_channels) = (split.images.shape[1:] for split in (train, other))
    knobs = [f"--config.data.image_size={max(sides)}"] if sides != other_sides else []
    knobs += [f"--config.data.channels={min(channels, 3)}"] if channels != other_channels else []
    shapes = [" x ".join(map(str, split.images.shape[1:])) for split in (train, other)]
    raise UserError(
        f"the training images are {shapes[0]} and the {name} images {shapes[1]} (height x width x channels); set "
        f"{' '.join(knobs)} to convert both"
    )
