"""Labels and fingerprint of array_record files: read from all records once, then cached."""

import dataclasses
import hashlib
import json
import logging
import pathlib

import numpy as np

from gan_jax.data.example import image_and_label
from gan_jax.data.stored import Files, open_records, readable
from gan_jax.system import cache
from gan_jax.system.errors import DataUnavailable

_RECORDS_AT_ONCE, _LONG = 1024, 1 << 30


def labels_and_digest(files: Files, folder: pathlib.Path) -> tuple[np.ndarray, str]:
    """(labels int32 [N], sha256 of all encoded images and labels) of a split.

    Every record is read once, and the result is cached in `folder`. The name of the cache file depends on the paths,
    sizes and modification times of the files, so a changed file is read again.
    DataUnavailable names a file that is missing or damaged.
    """
    key = hashlib.sha256(json.dumps(_stamps(files)).encode()).hexdigest()[:16]
    path = folder / f"{files.folder.parent.name}-{key}.npz"
    if path.is_file():
        with readable(path, "delete it"), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays["labels"], str(arrays["digest"])
    labels, digest = _scan(files)
    if labels.min() < 0:
        raise DataUnavailable(f"{files.folder} holds images without a label")
    cache.write(path, {"labels": labels, "digest": digest})
    return labels, digest


def _stamps(files: Files) -> list:
    """[path, number of records, size in bytes, modification time in ns] of each file."""
    stamps = []
    for path, number in files.files:
        try:
            stat = pathlib.Path(path).stat()
        except OSError as error:
            raise DataUnavailable(f"{path} cannot be read: {error.strerror}; prepare the set again") from error
        stamps.append([str(path), number, stat.st_size, stat.st_mtime_ns])
    return stamps


def _scan(files: Files) -> tuple[np.ndarray, str]:
    """Labels and sha256 from all records of the files."""
    size = sum(pathlib.Path(path).stat().st_size for path, _ in files.files)
    if size > _LONG:
        logging.getLogger(__name__).warning("reading %.1f GiB in %s once, for its labels", size / 2**30, files.folder)
    digest, labels = hashlib.sha256(str(files.shape).encode()), []
    for path, number in files.files:
        with readable(path):
            _check_length(path, number)
            source = dataclasses.replace(files, files=((path, number),)).source()
            for start in range(0, number, _RECORDS_AT_ONCE):
                rows = range(start, min(start + _RECORDS_AT_ONCE, number))
                for image, label in map(image_and_label, source.__getitems__(list(rows))):
                    digest.update(len(image).to_bytes(8, "little") + label.to_bytes(8, "little", signed=True))
                    digest.update(image)
                    labels.append(label)
    return np.array(labels, np.int32), digest.hexdigest()


def _check_length(path: str, number: int) -> None:
    num_records = len(open_records([path]))
    if num_records != number:
        raise DataUnavailable(f"{path} has {num_records} records, but the description of its data set says {number}")
