"""Pictures that are not decoded yet, of any size and mode: what a folder, a zip archive or another library gives."""

import types
from collections.abc import Callable, Mapping
from typing import BinaryIO, NamedTuple

import numpy as np

from gan_jax.data.classes import listed


class Pictures(NamedTuple):
    """The pictures of one split.

    names: one for each picture, unique in the split; for messages, and to hold out a test split.
    labels: int32 [N], positions in the class names of the set; all 0 if the pictures have no labels.
    open: (index) -> a binary file at its start.
    decoded: index -> the pixels of a picture that is decoded already, uint8 [H, W] or [H, W, 3].
    """

    names: tuple[str, ...]
    labels: np.ndarray
    open: Callable[[int], BinaryIO]
    decoded: Mapping[int, np.ndarray] = types.MappingProxyType({})


def readable(name: str) -> str:
    """A file's name, with the bytes that are not UTF-8 written as \\xNN."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class Skipped:
    """What of a source is not used: names by reason."""

    def __init__(self):
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        self._names.setdefault(reason, []).append(name)

    def lines(self) -> tuple[str, ...]:
        """One line for each reason: how many, why, and the first few names."""
        return tuple(
            f"{len(names)} skipped ({reason}): {listed(list(map(readable, names)))}"
            for reason, names in self._names.items()
        )


class PictureSet(NamedTuple):
    """A whole set.

    origin: where it is, for messages.
    splits: "train", and "test" and "validation" if the source has them.
    class_names: of the labels 0, 1, ...; () if the pictures have no labels.
    stamp: text that changes if a file changes.
    notes: what was skipped or chosen, one line each, for the user.
    are_rows: whether the names of the pictures are their row numbers in a table, instead of names of files.
    """

    origin: str
    splits: dict[str, Pictures]
    class_names: tuple[str, ...]
    stamp: str
    notes: tuple[str, ...] = ()
    are_rows: bool = False

    @property
    def total(self) -> int:
        """The number of pictures of all splits."""
        return sum(len(split.names) for split in self.splits.values())
