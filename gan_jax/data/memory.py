"""Whether images are in memory or stay in files, and the opening of files by this policy."""

import pathlib
from typing import NamedTuple

from gan_jax.data.dataset import Split
from gan_jax.data.manifest import labels_and_digest
from gan_jax.data.pixels import Conversion
from gan_jax.data.stored import Files, StoredImages, target_shape


class MemoryPolicy(NamedTuple):
    """Whether images are in memory or stay in files.

    stream: "auto" (in memory up to `most_bytes`), "always" (in files) or "never" (in memory).
    most_bytes: limit of images in memory, in bytes of uint8.
    """

    stream: str
    most_bytes: float

    def streams(self, size: int) -> bool:
        """Whether images of `size` bytes in all stay in files."""
        return self.stream == "always" or (self.stream == "auto" and size > self.most_bytes)


def open_files(
    parts: tuple[Files, ...], conversion: Conversion, data_dir: pathlib.Path, policy: MemoryPolicy
) -> tuple[Split, ...]:
    """The splits with their images in files or in memory, as `policy` says."""
    splits = []
    for files in parts:
        labels, digest = labels_and_digest(files, data_dir / "manifests")
        shape, method = target_shape(files, conversion), conversion.method(files.image_shape)
        splits.append(Split(StoredImages(files, shape, digest, policy.most_bytes, method), labels))
    size = sum(split.images.nbytes for split in splits)
    if policy.streams(size):
        return tuple(splits)
    return tuple(Split(images[:], labels) for images, labels in splits)
