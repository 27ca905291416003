"""Reads the headers of all pictures once: their sizes, modes and colours, and which files cannot be read.

To open a small file costs as much as to decode it, so small pictures are decoded in the same pass.
"""

import collections
import hashlib
import json
import pathlib
from typing import NamedTuple

import numpy as np

from gan_jax.data.classes import listed
from gan_jax.data.pictures.decode import Header, read
from gan_jax.data.pictures.passes import Pass, Unreadable
from gan_jax.data.pictures.types import Pictures, PictureSet
from gan_jax.system import cache

_SMALL = 128 * 128  # pixels of a picture that is decoded at once


class Scan(NamedTuple):
    """The headers of a set.

    sizes: (height, width) -> number of pictures.
    modes: Pillow's name of a mode -> number of pictures.
    num_colour: number of pictures with colours.
    """

    sizes: collections.Counter
    modes: collections.Counter
    num_colour: int

    @property
    def total(self) -> int:
        return self.sizes.total()

    def lines(self) -> tuple[str, str]:
        """The commonest sizes and modes, for the user."""
        sizes = [f"{height} x {width}: {number}" for (height, width), number in self.sizes.most_common()]
        modes = [f"{mode}: {number}" for mode, number in self.modes.most_common()]
        return f"sizes (height x width) {listed(sizes)}", f"modes {listed(modes)}"

    def to_json(self) -> str:
        return json.dumps([[[*size, number] for size, number in self.sizes.items()], self.modes, self.num_colour])

    @classmethod
    def from_json(cls, text: str) -> "Scan":
        sizes, modes, num_colour = json.loads(text)
        sizes = {(height, width): number for height, width, number in sizes}
        return cls(collections.Counter(sizes), collections.Counter(modes), num_colour)


def scan(
    pictures: PictureSet, folder: pathlib.Path, background: tuple[int, int, int], most_bytes: float
) -> tuple[Scan, PictureSet]:
    """(what the headers of all pictures say, the pictures, with small ones decoded up to `most_bytes` of memory).

    The headers are kept in `folder`, so that they are read once. If they are there, no picture is decoded.
    DataUnavailable if more than 1% of the pictures have none.
    """
    path = folder / f"headers-{hashlib.sha256(pictures.stamp.encode()).hexdigest()[:16]}.npz"
    if path.is_file():
        return Scan.from_json(str(cache.read(path, "headers of images")["headers"])), pictures
    found, decoded = _scan(pictures, background, most_bytes)
    cache.write(path, {"headers": np.array(found.to_json())})
    splits = {name: split._replace(decoded=decoded[name]) for name, split in pictures.splits.items()}
    return found, pictures._replace(splits=splits)


def _scan(
    pictures: PictureSet, background: tuple[int, int, int], most_bytes: float
) -> tuple[Scan, dict[str, dict[int, np.ndarray]]]:
    """(the headers, split -> row -> a small picture)."""

    def read_one(split: Pictures, row: int) -> tuple[Header, np.ndarray | None]:
        with split.open(row) as file:
            return read(file, background, _SMALL if num_bytes < most_bytes else 0)

    reading = Pass("reading images", Unreadable(pictures.origin, pictures.total), pictures.total)
    sizes, modes, num_colour = collections.Counter(), collections.Counter(), 0
    decoded, num_bytes = {name: {} for name in pictures.splits}, 0
    for name, split in pictures.splits.items():
        for row, (header, pixels) in reading.results(read_one, split, np.arange(len(split.names))):
            sizes[header.height, header.width] += 1
            modes[header.mode] += 1
            num_colour += header.colour
            if pixels is not None:
                decoded[name][row] = pixels
                num_bytes += pixels.nbytes
    reading.close()
    return Scan(sizes, modes, num_colour), decoded
