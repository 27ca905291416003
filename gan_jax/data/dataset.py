"""A data set, in memory or in files, and the order in which training reads it."""

import hashlib
from typing import NamedTuple

import numpy as np

from gan_jax.data.pixels import fit, to_picture
from gan_jax.data.stored import StoredImages
from gan_jax.system.errors import UserError


class Split(NamedTuple):
    """images uint8 [N, H, W, C], labels int32 [N]. The images of a streamed set are read when they are indexed."""

    images: np.ndarray | StoredImages
    labels: np.ndarray

    def in_memory(self) -> "Split":
        """The same; of a streamed split that is too large a random part, always the same one."""
        if not isinstance(self.images, StoredImages):
            return self
        chosen = self.images.sample()
        return Split(self.images[chosen], self.labels[chosen])


class Source(NamedTuple):
    """Where images come from: what kind of source, and its folder on this machine ("" if it has none of its own)."""

    kind: str
    folder: str = ""

    def __str__(self) -> str:
        return f"{self.kind} in {self.folder}" if self.folder else self.kind


class Dataset(NamedTuple):
    """name: the set that was found; source: where; requested: the set that was asked for.

    validation: images held out of `train` for choosing; None where none are. classes: their number, 0 where the labels
    here show it.
    """

    name: str
    source: Source
    requested: str
    train: Split
    test: Split
    validation: Split | None = None
    classes: int = 0

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
        """sha256 of every image and label, as they stand here; of a streamed image, as it stands in its file."""
        digest = hashlib.sha256()
        for array in (*self.train, *self.test, *(self.validation or ())):
            if isinstance(array, StoredImages):
                digest.update(array.identity())
                continue
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()

    def in_memory(self) -> "Dataset":
        """The set to score with: in memory; of each split of a streamed set as much as `data.resident_gib` allows."""
        parts = {"train": self.train.in_memory(), "test": self.test.in_memory()}
        return self._replace(**parts, classes=self.num_classes)


def balanced(labels: np.ndarray, num_images: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of `num_images` random images with equally many of every class, as far as it goes."""
    classes = rng.permutation(np.unique(labels))
    shuffled = [rng.permutation(np.flatnonzero(labels == label)) for label in classes]
    # The first of each class, then the second of each, ...: cut anywhere, it is balanced.
    rank = np.concatenate([np.arange(len(indices)) for indices in shuffled])
    return np.concatenate(shuffled)[np.argsort(rank, kind="stable")][:num_images]


def hold_out(dataset: Dataset, num_images: int) -> Dataset:
    """The data set with so many training images, balanced over the classes and always the same, for validation."""
    if not num_images:
        return dataset
    images, labels = dataset.train
    if not 1 < num_images < len(labels):
        raise UserError(f"data.num_validation={num_images}: between 2 and {len(labels) - 1} of the training images")
    held = np.zeros(len(labels), bool)
    held[balanced(labels, num_images, np.random.default_rng(0))] = True
    others = images.select(~held) if isinstance(images, StoredImages) else images[~held]
    return dataset._replace(train=Split(others, labels[~held]), validation=Split(images[held], labels[held]))


def to_float(images):
    """uint8 [0, 255] -> float32 [-1, 1], on the host or on the device."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def to_uint8(images) -> np.ndarray:
    """float [-1, 1] -> uint8, rounded, as an image file holds it."""
    return np.clip(np.rint((np.asarray(images, np.float32) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def convert(split: Split, image_size: int, channels: int) -> Split:
    """Images resized (bilinear) to a square side, and turned into `channels` (1: luminance, 3); 0 keeps their own."""
    _, height, width, own = split.images.shape
    if image_size in (0, height) and height == width and channels in (0, own):
        return split
    size = image_size or max(height, width)
    images = np.stack([fit(to_picture(image), size, channels or own) for image in split.images])
    return Split(images, split.labels)
