"""One pass over the pictures of a set: several threads, a progress line, and the pictures that cannot be read."""

import concurrent.futures
import os
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gan_jax.data.classes import listed
from gan_jax.data.pictures.types import Pictures, readable
from gan_jax.system.errors import DataUnavailable
from gan_jax.system.progress import Progress

_AT_ONCE = 4096  # pictures whose results are waited for
_PER_TASK = 64
# Seconds that a picture must take. Small pictures spend their time in Python, where threads only wait for each other:
# two threads need 1.5 times the time of one for JPEG files of 32 x 32, and 0.7 times for those of 256 x 256.
_WORTH_A_THREAD = 1.5e-4
_REPORTED = 256  # pictures between two updates of the progress line
_MOST_UNREADABLE = 0.01  # share of the pictures; more are a mistake, not bad luck


class Unreadable:
    """The pictures of a set that cannot be read. DataUnavailable as soon as they are more than 1% of all.

    reasons: name -> why.
    """

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


class Pass:
    """A pass over `total` pictures, of which `done` are done already. what: its name in the progress line."""

    def __init__(self, what: str, unreadable: Unreadable, total: int, done: int = 0):
        self._unreadable, self._total, self._done = unreadable, total, done
        self._progress = Progress(total, done, what, show=total - done > _REPORTED, first="starting")

    def results(
        self, function: Callable[[Pictures, int], Any], pictures: Pictures, rows: np.ndarray
    ) -> Iterator[tuple[int, Any]]:
        """(row, function(pictures, row)) of each row in order, without those that raise an error."""
        for row, result in zip(rows.tolist(), _for_each(lambda row: function(pictures, row), rows), strict=True):
            self._done += 1
            if self._done % _REPORTED == 0 or self._done == self._total:
                self._progress.update(self._done)
            if isinstance(result, Exception):
                self._unreadable.add(pictures.names[row], result)
            else:
                yield row, result

    def close(self) -> None:
        """Ends the progress line."""
        self._progress.close()


def _for_each(function: Callable[[int], Any], rows: np.ndarray) -> Iterator:
    """function(row) of each row in order, or the error that it raised. Several threads if a row takes long enough."""

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
        run, start = map, 0
        while start < len(rows):
            block = rows[start : start + (_AT_ONCE if start else _PER_TASK)]
            began = time.perf_counter()
            for results in run(some, np.array_split(block, max(1, len(block) // _PER_TASK))):
                yield from results
            if not start and time.perf_counter() - began > _WORTH_A_THREAD * len(block):
                run = threads.map
            start += len(block)
