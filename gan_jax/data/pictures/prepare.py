"""Decodes the pictures of a set to images of one size: in memory if they fit, otherwise into array_record files.

Both are kept in the cache folder, under the names, sizes and times of the files, so a set is decoded once.
"""

import collections
import hashlib
import json
import logging
import pathlib
import shutil
from typing import NamedTuple

import numpy as np
from PIL import Image

from gan_jax.data.dataset import Split
from gan_jax.data.memory import MemoryPolicy, open_files
from gan_jax.data.pictures.decode import background_colour, decode
from gan_jax.data.pictures.passes import Pass, Unreadable
from gan_jax.data.pictures.records import write_records
from gan_jax.data.pictures.scan import Scan, scan
from gan_jax.data.pictures.types import Pictures, PictureSet
from gan_jax.data.pixels import Conversion, fit
from gan_jax.system import cache
from gan_jax.system.errors import DataUnavailable

FOLDER = "pictures"  # of the cache folder
_VERSION = 1  # of the conversion: prepared copies of another version are not used
_SIDES = (128, 64, 32)
_MOST_DECODED_BYTES = 1 << 30  # of small pictures that are decoded before it is known what size they get
_SPARE = 1.1  # free space on the disk, as a multiple of what is written


class Plan(NamedTuple):
    """How every picture of a set is converted. method: a name in `pixels.RESIZES`. background: RGB."""

    shape: tuple[int, int, int]
    method: str
    background: tuple[int, int, int]

    def image(self, pictures: Pictures, row: int) -> np.ndarray:
        """uint8 [H, W, C] of a picture."""
        if row in pictures.decoded:
            pixels = pictures.decoded[row]
            # Grey pixels [H, W] become [H, W, 1] here.
            done = pixels.size == np.prod(self.shape) and pixels.shape == self.shape[: pixels.ndim]
            return pixels.reshape(self.shape) if done else fit(Image.fromarray(pixels), self.shape, self.method)
        with pictures.open(row) as file:
            return fit(decode(file, self.background), self.shape, self.method)


class Prepared(NamedTuple):
    """splits: by name, without the pictures that cannot be read. names: those of the pictures of each split.

    notes, facts: as those of a `Dataset`.
    """

    splits: dict[str, Split]
    names: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]
    facts: tuple[str, ...]


def common_side(sizes: collections.Counter) -> int:
    """The side of the square images, if the user gives none: the commonest size, or 128, 64 or 32 below it.

    sizes: (height, width) -> number of pictures.
    """
    height, width = max(sizes, key=lambda size: (sizes[size], size))
    side = min(height, width)
    if height == width and side <= _SIDES[0]:
        return side
    return next((smaller for smaller in _SIDES if smaller <= side), side)


def make_plan(found: Scan, conversion: Conversion, background: str) -> tuple[Plan, list[str]]:
    """(the plan, notes about what it changes)."""
    side = conversion.image_size or common_side(found.sizes)
    total, channels = found.total, conversion.channels or (3 if found.num_colour else 1)
    notes = []
    if num_other := total - found.sizes[side, side]:
        method, knob = conversion.resize or "crop", "" if conversion.resize else "; data.resize: crop, pad or stretch"
        size = "" if conversion.image_size else "; data.image_size sets another side"
        words = {"crop": "cropped and resized", "pad": "padded and resized", "stretch": "stretched"}[method]
        notes.append(f"{num_other} of {total} images are {words} to {side} x {side}{knob}{size}")
    num_grey = total - found.num_colour
    if channels == 3 and num_grey and not conversion.channels:
        notes.append(f"{num_grey} of {total} images are grey and become RGB; data.channels=1 makes all grey")
    return Plan((side, side, channels), conversion.resize or "crop", background_colour(background)), notes


def prepare(
    pictures: PictureSet, conversion: Conversion, background: str, policy: MemoryPolicy, data_dir: pathlib.Path
) -> Prepared:
    """The images of all splits, from the cache or decoded now.

    DataUnavailable if more than 1% of the pictures cannot be read.
    """
    most_bytes = min(_MOST_DECODED_BYTES, policy.most_bytes)
    found, pictures = scan(pictures, data_dir / FOLDER, background_colour(background), most_bytes)
    total = pictures.total
    if not found.sizes:
        raise DataUnavailable(f"{pictures.origin} has no image that can be read")
    plan, notes = make_plan(found, conversion, background)
    unreadable = Unreadable(pictures.origin, total)
    size = total * int(np.prod(plan.shape))
    key = hashlib.sha256(json.dumps([_VERSION, pictures.stamp, plan]).encode()).hexdigest()[:16]
    path = data_dir / FOLDER / f"{pathlib.Path(pictures.origin).stem}-{key}"
    if policy.streams(size):
        files, kept = write_records(pictures.splits, plan.shape, plan.image, path, unreadable)
        always = MemoryPolicy("always", policy.most_bytes)
        opened = open_files(tuple(files.values()), Conversion(), data_dir, always)
        splits = dict(zip(files, opened, strict=True))
    else:
        splits, kept = _in_memory(pictures.splits, plan, path.with_name(path.name + ".npz"), unreadable)
    names = {name: tuple(pictures.splits[name].names[row] for row in rows) for name, rows in kept.items()}
    return Prepared(splits, names, (*pictures.notes, *notes, *unreadable.lines()), found.lines())


def _in_memory(
    splits: dict[str, Pictures], plan: Plan, path: pathlib.Path, unreadable: Unreadable
) -> tuple[dict[str, Split], dict[str, np.ndarray]]:
    """(the splits, the rows of their pictures that can be read), from the file `path` or decoded and written to it."""
    if path.is_file():
        arrays = cache.read(path, "prepared images")
        unreadable.reasons.update(json.loads(str(arrays["unreadable"])))
    else:
        arrays = {}
        decoding = Pass("decoding images", unreadable, sum(len(split.names) for split in splits.values()))
        for name, split in splits.items():
            images, kept = np.empty((len(split.names), *plan.shape), np.uint8), np.zeros(len(split.names), bool)
            for row, image in decoding.results(plan.image, split, np.arange(len(split.names))):
                images[row], kept[row] = image, True
            arrays |= {f"{name}_images": images if kept.all() else images[kept], f"{name}_rows": np.flatnonzero(kept)}
        decoding.close()
        _keep(path, arrays | {"unreadable": np.array(json.dumps(unreadable.reasons))})
    rows = {name: arrays[f"{name}_rows"] for name in splits}
    return {n: Split(arrays[f"{n}_images"], splits[n].labels[rows[n]]) for n in splits}, rows


def _keep(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes the cache file. Without space for it, only warns: the next command decodes again."""
    size = sum(array.nbytes for array in arrays.values())
    folder = next(parent for parent in path.parents if parent.exists())
    if shutil.disk_usage(folder).free < _SPARE * size:
        logging.getLogger(__name__).warning(
            "the decoded images are not kept for later runs: %.2f GiB are needed in %s", size / 2**30, folder
        )
        return
    cache.write(path, arrays)
