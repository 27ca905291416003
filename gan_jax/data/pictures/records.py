"""Writes decoded pictures into array_record files, from which Grain streams them like those of a TFDS set.

A file has up to 256 MiB of images. It is complete if it has a .json file beside it, with the pictures that cannot be
read. So a preparation that was stopped goes on where it was.
"""

import json
import logging
import pathlib
import shutil
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gan_jax.data.example import encode
from gan_jax.data.pictures.passes import Pass, Unreadable
from gan_jax.data.pictures.types import Pictures, readable
from gan_jax.data.stored import Files
from gan_jax.system import files
from gan_jax.system.errors import UserError

_FILE_BYTES = 256 << 20
_SPARE = 1.05  # bytes of a file per byte of its images


class _Shard(NamedTuple):
    """One array_record file. rows: indices of the pictures of `split` that it is for."""

    path: pathlib.Path
    split: str
    rows: np.ndarray

    @property
    def report(self) -> pathlib.Path:
        return self.path.with_suffix(".json")


def write_records(
    splits: dict[str, Pictures],
    shape: tuple[int, int, int],
    image: Callable[[Pictures, int], np.ndarray],
    folder: pathlib.Path,
    unreadable: Unreadable,
) -> tuple[dict[str, Files], dict[str, np.ndarray]]:
    """(the files of each split, the rows of its pictures that could be read). Writes those that are missing.

    image: (pictures, row) -> uint8 of `shape`.
    UserError if the disk has too little space.
    """
    per_file = max(1, _FILE_BYTES // int(np.prod(shape)))
    shards = [
        _Shard(folder / f"{name}-{number:05d}.array_record", name, rows)
        for name, split in splits.items()
        for number, rows in enumerate(_chunks(len(split.names), per_file))
    ]
    missing = [shard for shard in shards if not shard.report.is_file()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_space(folder, sum(len(shard.rows) for shard in missing), int(np.prod(shape)))
    total = sum(len(shard.rows) for shard in shards)
    preparing = Pass("preparing images", unreadable, total, total - sum(len(shard.rows) for shard in missing))
    for shard in missing:
        _write(shard, splits[shard.split], image, preparing, unreadable)
    preparing.close()
    return _collect(splits, shards, shape, unreadable)


def _chunks(number: int, per_file: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + per_file, number)) for start in range(0, number, per_file)]


def _check_space(folder: pathlib.Path, number: int, image_bytes: int) -> None:
    needed, free = _SPARE * number * image_bytes, shutil.disk_usage(folder).free
    text = f"{number} images are prepared once, in {needed / 2**30:.2f} GiB of {folder}"
    if needed > free:
        raise UserError(
            f"{text}, where {free / 2**30:.2f} GiB are free; choose another cache folder: --data_dir=FOLDER"
        )
    logging.getLogger(__name__).warning("%s", text)


def _write(shard: _Shard, pictures: Pictures, image: Callable, preparing: Pass, unreadable: Unreadable) -> None:
    """Writes the file, then its report: row -> why its picture cannot be read."""
    from array_record.python.array_record_module import ArrayRecordWriter

    lost = set(shard.rows.tolist())
    with files.atomic_write(shard.path) as partial:
        writer = ArrayRecordWriter(str(partial), "group_size:1")
        for row, pixels in preparing.results(image, pictures, shard.rows):
            writer.write(encode(pixels.tobytes(), int(pictures.labels[row])))
            lost.remove(row)
        writer.close()
    reasons = {row: unreadable.reasons[readable(pictures.names[row])] for row in sorted(lost)}
    files.write_text(shard.report, json.dumps(reasons))


def _collect(
    splits: dict[str, Pictures], shards: list[_Shard], shape: tuple[int, int, int], unreadable: Unreadable
) -> tuple[dict[str, Files], dict[str, np.ndarray]]:
    """What the files of all shards have."""
    paths, kept = {name: [] for name in splits}, {name: [] for name in splits}
    for shard in shards:
        lost = files.read_table(shard.report, "delete it")
        for row, reason in lost.items():
            unreadable.add(splits[shard.split].names[int(row)], reason)
        rows = shard.rows[~np.isin(shard.rows, [int(row) for row in lost])]
        if len(rows):
            paths[shard.split].append((str(shard.path), len(rows)))
            kept[shard.split].append(rows)
    found = {name: Files(tuple(paths[name]), shape, encoded=False) for name in splits}
    return found, {name: np.concatenate(kept[name]) for name in splits}
