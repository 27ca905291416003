"""A data set in memory or in files, its fingerprint, and the conversion of its images."""

import hashlib
from typing import NamedTuple

import numpy as np

from gan_jax.data.pixels import fit, to_picture
from gan_jax.data.stored import StoredImages
from gan_jax.system.errors import UserError


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
    validation: training images that are held out for model selection; None without any.
    classes: number of classes; 0: one more than the largest label.
    notes: what of the images or labels is not as in their source; one line each, for the user.
    """

    name: str
    source: Source
    requested: str
    train: Split
    test: Split
    validation: Split | None = None
    classes: int = 0
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        return self.classes or int(max(self.train.labels.max(), self.test.labels.max())) + 1

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
        parts = {"train": self.train.in_memory(), "test": self.test.in_memory()}
        return self._replace(**parts, classes=self.num_classes)


def balanced(labels: np.ndarray, num_images: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of `num_images` random images, balanced over the classes: class counts differ by one at most.

    If a class has too few images, all of them are used.
    """
    classes = rng.permutation(np.unique(labels))
    shuffled = [rng.permutation(np.flatnonzero(labels == label)) for label in classes]
    # The first image of each class, then the second of each, ...: every prefix of this order is balanced.
    rank = np.concatenate([np.arange(len(indices)) for indices in shuffled])
    return np.concatenate(shuffled)[np.argsort(rank, kind="stable")][:num_images]


def hold_out(dataset: Dataset, num_images: int) -> Dataset:
    """Moves `num_images` training images to the validation split: balanced over the classes, the same for every run.

    UserError unless 1 < num_images < number of training images; 0 returns the data set as it is.
    """
    if not num_images:
        return dataset
    images, labels = dataset.train
    if not 1 < num_images < len(labels):
        raise UserError(f"data.num_validation={num_images}: between 2 and {len(labels) - 1} of the training images")
    held_out = np.zeros(len(labels), bool)
    held_out[balanced(labels, num_images, np.random.default_rng(0))] = True
    train_images = images.select(~held_out) if isinstance(images, StoredImages) else images[~held_out]
    validation = Split(images[held_out], labels[held_out])
    return dataset._replace(train=Split(train_images, labels[~held_out]), validation=validation)


def to_float(images):
    """uint8 [0, 255] -> float32 [-1, 1], for NumPy and JAX arrays."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def to_uint8(images) -> np.ndarray:
    """float [-1, 1] -> uint8 [0, 255], rounded to the nearest integer, as in an image file."""
    return np.clip(np.rint((np.asarray(images, np.float32) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def convert(split: Split, image_size: int, channels: int) -> Split:
    """Resizes images (bilinear) to a square and converts them to `channels` (1: luminance, 3: RGB).

    image_size 0: the longer side of the images. channels 0: the channels of the images.
    """
    _, height, width, image_channels = split.images.shape
    if image_size in (0, height) and height == width and channels in (0, image_channels):
        return split
    size = image_size or max(height, width)
    images = np.stack([fit(to_picture(image), size, channels or image_channels) for image in split.images])
    return Split(images, split.labels)
