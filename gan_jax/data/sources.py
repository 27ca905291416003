"""Loads the data set that a config names: finds it, converts its images, and numbers its classes."""

import logging
import pathlib

from gan_jax.data.classes import index_classes
from gan_jax.data.dataset import Dataset, Split, check_shapes, convert
from gan_jax.data.find import Found, check_fallback, find
from gan_jax.data.memory import MemoryPolicy, open_files
from gan_jax.data.pixels import RESIZES, Conversion
from gan_jax.data.splits import split_off_test
from gan_jax.data.stored import Files
from gan_jax.system import cache
from gan_jax.system.config import choose
from gan_jax.system.errors import DataUnavailable, NotOnThisMachine, UserError


def load(
    name: str,
    folder: str = "",
    fallback: str = "",
    image_size: int = 0,
    channels: int = 0,
    data_dir: str = "",
    stream: str = "auto",
    resident_gib: float = 4.0,
    resize: str = "",
) -> Dataset:
    """The data set `name`; if this machine has it not and cannot download it, `fallback` with a warning.

    folder: if not "", the set is read from this folder and from nowhere else: IDX files, whatever `name` is (see
        `find.py`), or the TFDS set `name`.
    fallback: name of another set; "": none.
    image_size, channels, resize: of the conversion (`pixels.Conversion`).
    data_dir: folder of prepared data; "": the user's cache folder.
    stream: whether images stay in array_record files: "always", "never", or "auto" (if they are larger than
        `resident_gib`).
    resident_gib: limit of images in memory, in GiB (2**30 bytes).
    Raises UserError for an unknown name or a wrong setting, DataUnavailable if no source has the set, or if the set is
    damaged or unfit.
    """
    if channels not in (0, 1, 3):
        raise UserError(f"data.channels={channels}: choose 1, 3, or 0 for the images' own")
    if image_size < 0:
        raise UserError(f"data.image_size={image_size}: must be at least 0")
    if resize:
        choose(RESIZES, resize, "data.resize")
    choose(("auto", "always", "never"), stream, "data.stream")
    if resident_gib <= 0:
        raise UserError(f"data.resident_gib={resident_gib}: must be more than 0")
    policy, cache_folder = MemoryPolicy(stream, resident_gib * 2**30), cache.folder(data_dir).absolute()
    check_fallback(fallback, cache_folder)
    found, requested = _find_or_fall_back(name, folder, fallback, cache_folder, policy)
    conversion = Conversion(image_size, channels, resize)
    splits, notes = _convert(found, conversion, cache_folder, policy)
    if folder and name not in ("idx", found.name):
        notes.append(f"data.dir has IDX files, so data.name={name} is not used: the records call these images idx")
    if len(splits) == 1:
        splits = split_off_test(splits[0], f"'{found.name}' from {found.source}")
        number = len(splits[1].labels)
        notes.append(
            f"{found.name} has no test split, so a tenth of the training images of each class are test images: {number}"
        )
    check_shapes(*splits)
    train, test, class_names, class_notes = index_classes(*splits)
    notes += class_notes
    return Dataset(found.name, found.source, requested, train, test, class_names, notes=tuple(notes))


def _find_or_fall_back(
    name: str, folder: str, fallback: str, cache_folder: pathlib.Path, policy: MemoryPolicy
) -> tuple[Found, str]:
    """(the set, or its fallback with a warning; the name under which the records say that it was requested)."""
    try:
        found = find(name, folder, cache_folder, policy)
        return found, found.name if folder else name
    except NotOnThisMachine as error:
        # If the user named a folder, another data set must not replace it silently.
        if not fallback or fallback == name or folder:
            raise
        try:
            found = find(fallback, "", cache_folder, policy)
        except DataUnavailable as second:
            raise DataUnavailable(f"{error}; nor does data.fallback={fallback} work: {second}") from second
        logging.getLogger(__name__).warning("%s; using %s instead", error, fallback)
        return found, name


def _convert(
    found: Found, conversion: Conversion, cache_folder: pathlib.Path, policy: MemoryPolicy
) -> tuple[tuple[Split, ...], list[str]]:
    """(the converted splits; notes for the user if the ratio of the sides changes)."""
    if isinstance(found.splits[0], Files):
        own_shapes = [files.image_shape for files in found.splits]
        splits = open_files(found.splits, conversion, cache_folder, policy)
    elif policy.stream == "always":
        raise UserError(
            f"data.stream=always reads array_record files, and '{found.name}' comes from {found.source}; set "
            "--config.data.stream=auto"
        )
    else:
        own_shapes = [split.images.shape[1:] for split in found.splits]
        splits = tuple(convert(split, conversion) for split in found.splits)
    return splits, list(dict.fromkeys(filter(None, map(conversion.note, own_shapes))))
