"""Reads the headers of all pictures once: their sizes, modes and colours, and which files cannot be read."""

import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from gan_jax.data.classes import listed
from gan_jax.data.pictures.decode import read_header
from gan_jax.data.pictures.types import Pictures, PictureSet, readable
from gan_jax.system import cache
from gan_jax.system.errors import DataUnavailable
from gan_jax.system.progress import Progress

_AT_ONCE = 4096  # pictures whose results are waited for
_PER_TASK = 64
_MOST_UNREADABLE = 0.01  # share of the pictures; more are a mistake, not bad luck


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


class Unreadable:
    """The pictures of a set that cannot be read. DataUnavailable as soon as they are more than 1% of all."""

    def __init__(self, origin: str, total: int):
        self._origin, self._total, self.reasons = origin, total, {}

    def add(self, name: str, error: Exception | str) -> None:
        self.reasons[readable(name)] = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if len(self.reasons) > _MOST_UNREADABLE * self._total:
            raise DataUnavailable(
                f"{self._origin}: more than {_MOST_UNREADABLE:.0%} of {self._total} images cannot be read, such as "
                f"{self._first()}; repair or remove them"
            )

    def _first(self) -> str:
        return listed([f"{name} ({reason})" for name, reason in self.reasons.items()])

    def lines(self) -> list[str]:
        """One line if there are any."""
        number = len(self.reasons)
        return [f"{number} {'image' if number == 1 else 'images'} cannot be read: {self._first()}"] if number else []


def for_each(function: Callable, rows: np.ndarray) -> Iterator:
    """function(row) of each row in order, or the error that it raised. Several threads."""

    def some(chunk: np.ndarray) -> list:
        results = []
        for row in chunk.tolist():
            try:
                results.append(function(row))
            except Exception as error:  # Damaged images raise errors of many classes.
                results.append(error)
        return results

    with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        warnings.simplefilter("ignore")  # Pillow warns of damaged metadata and of large images.
        for start in range(0, len(rows), _AT_ONCE):
            chunks = np.array_split(
                rows[start : start + _AT_ONCE], max(1, min(_AT_ONCE, len(rows) - start) // _PER_TASK)
            )
            for results in threads.map(some, chunks):
                yield from results


def scan(pictures: PictureSet, folder: pathlib.Path) -> Scan:
    """What the headers of all pictures say; kept in `folder`, so that they are read once.

    DataUnavailable if more than 1% of the pictures have none.
    """
    path = folder / f"headers-{hashlib.sha256(pictures.stamp.encode()).hexdigest()[:16]}.npz"
    if path.is_file():
        return Scan.from_json(str(cache.read(path, "headers of images")["headers"]))
    found = _scan(pictures)
    cache.write(path, {"headers": np.array(found.to_json())})
    return found


def _scan(pictures: PictureSet) -> Scan:
    total = pictures.total
    unreadable = Unreadable(pictures.origin, total)
    progress, done = Progress(total, 0, "reading headers", show=total > _AT_ONCE, first="starting"), 0
    sizes, modes, num_colour = collections.Counter(), collections.Counter(), 0
    for split in pictures.splits.values():
        for row, header in enumerate(for_each(lambda row: _header(split, row), np.arange(len(split.names)))):
            done += 1
            if done % _AT_ONCE == 0 or done == total:
                progress.update(done)
            if isinstance(header, Exception):
                unreadable.add(split.names[row], header)
                continue
            sizes[header.height, header.width] += 1
            modes[header.mode] += 1
            num_colour += header.colour
    progress.close()
    return Scan(sizes, modes, num_colour)


def _header(split: Pictures, row: int):
    with split.open(row) as file:
        return read_header(file)
