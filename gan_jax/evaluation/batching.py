"""A function over more rows than go through a network at once."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np


def in_batches(function: Callable, arrays: Sequence[np.ndarray], size: int, *, even: bool = False) -> Any:
    """function(index, *batch) over arrays [N, ...], `size` rows at a time: its arrays [N, ...], as NumPy.

    index: number of the batch. The result is one array or a tree of them, with a row for each row of the batch, which
    must not depend on the other rows. The last batch is padded with copies of its first row, so that one compiled
    program serves all of them; what comes of the padding is cut off.
    even: no padding, and batches as equal as possible of `size` rows or more.
    """
    length = len(arrays[0])
    if even:
        batches = [np.array_split(array, max(length // size, 1)) for array in arrays]
    else:
        batches = [[array[start : start + size] for start in range(0, length, size)] for array in arrays]
    results = []
    for index, batch in enumerate(zip(*batches, strict=True)):
        count = len(batch[0])
        padded = batch if even else [_pad(rows, size) for rows in batch]
        results.append(jax.tree.map(lambda leaf, count=count: np.asarray(leaf)[:count], function(index, *padded)))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *results)


def _pad(rows: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([rows, np.repeat(rows[:1], size - len(rows), axis=0)])
