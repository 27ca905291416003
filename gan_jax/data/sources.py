"""Loads the data set that a config names: finds it, converts its images, and numbers its classes."""

import logging
import pathlib
from typing import NamedTuple

from gan_jax.data.classes import index_classes
from gan_jax.data.dataset import Dataset, Split, check_shapes, convert
from gan_jax.data.find import Found, check_fallback, find, named_path
from gan_jax.data.memory import open_files
from gan_jax.data.pictures.prepare import prepare
from gan_jax.data.pictures.types import PictureSet
from gan_jax.data.settings import Settings
from gan_jax.data.splits import split_off_by_name, split_off_test
from gan_jax.data.stored import Files
from gan_jax.system import cache
from gan_jax.system.errors import DataUnavailable, NotOnThisMachine, UserError


class _Images(NamedTuple):
    """Converted images. splits: by name. class_names: of the labels; None: the labels are their own names."""

    splits: dict[str, Split]
    notes: list[str]
    class_names: tuple[str, ...] | None = None
    facts: tuple[str, ...] = ()


def load(name: str, folder: str = "", fallback: str = "", data_dir: str = "", **options) -> Dataset:
    """The data set `name`; if this machine has it not and cannot download it, `fallback` with a warning.

    folder: if not "", the set is read from this folder and from nowhere else: images, if `name` is "folder"; IDX files,
        whatever `name` is (see `find.py`); files of another kind in `find.OF_FILES`; or the TFDS set `name`.
    fallback: name of another set; "": none.
    data_dir: folder of prepared data; "": the user's cache folder.
    options: fields of `Settings`.
    Raises UserError for an unknown name or a wrong setting, DataUnavailable if no source has the set, or if the set is
    damaged or unfit.
    """
    settings = Settings(**options)
    settings.check()
    cache_folder = cache.folder(data_dir).absolute()
    check_fallback(fallback, cache_folder)
    name, folder = named_path(name, folder)
    found, requested = _find_or_fall_back(name, folder, fallback, cache_folder, settings)
    splits, notes, label_names, facts = _convert(found, cache_folder, settings)
    if folder and name not in ("idx", found.name):
        notes.append(f"data.dir has IDX files, so data.name={name} is not used: the records call these images idx")
    if "test" not in splits:
        train, test = split_off_test(splits["train"], f"'{found.name}' from {found.source}", settings.test_share)
        splits = splits | {"train": train, "test": test}
        notes.append(
            f"{found.name} has no test split, so {settings.test_share:.4g} of the training images of each class are "
            f"test images: {len(test.labels)}"
        )
    for split_name, split in splits.items():
        check_shapes(splits["train"], split, split_name)
    class_names = ()
    if label_names != ():
        splits, class_names, class_notes = index_classes(splits, label_names)
        notes += class_notes
    return Dataset(
        found.name, found.source, requested, **splits, class_names=class_names, notes=tuple(notes), facts=facts
    )


def _find_or_fall_back(
    name: str, folder: str, fallback: str, cache_folder: pathlib.Path, settings: Settings
) -> tuple[Found, str]:
    """(the set, or its fallback with a warning; the name under which the records say that it was requested)."""
    try:
        found = find(name, folder, cache_folder, settings)
        return found, found.name if folder else name
    except NotOnThisMachine as error:
        # If the user named a folder, another data set must not replace it silently.
        if not fallback or fallback == name or folder:
            raise
        try:
            found = find(fallback, "", cache_folder, settings)
        except DataUnavailable as second:
            raise DataUnavailable(f"{error}; nor does data.fallback={fallback} work: {second}") from second
        logging.getLogger(__name__).warning("%s; using %s instead", error, fallback)
        return found, name


def _convert(found: Found, cache_folder: pathlib.Path, settings: Settings) -> _Images:
    """The images in one size, with notes for the user about what that changes."""
    conversion, policy = settings.conversion, settings.policy
    if isinstance(found.splits, PictureSet):
        return _pictures(found.splits, cache_folder, settings)
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
    notes = [*found.notes, *dict.fromkeys(filter(None, map(conversion.note, own_shapes)))]
    by_name = dict(zip(("train", "test", "validation"), splits, strict=False))
    return _Images(by_name, notes, None if found.has_labels else ())


def _pictures(pictures: PictureSet, cache_folder: pathlib.Path, settings: Settings) -> _Images:
    prepared = prepare(pictures, settings.conversion, settings.background, settings.policy, cache_folder)
    splits, notes = prepared.splits, list(prepared.notes)
    if "test" not in splits:
        train, test = split_off_by_name(splits["train"], prepared.names["train"], pictures.origin, settings.test_share)
        splits = splits | {"train": train, "test": test}
        part, chosen_by = ("split", "row numbers") if pictures.are_rows else ("folder", "names")
        notes.append(
            f"there is no test {part}, so {settings.test_share:.4g} of the images, chosen by a hash of their "
            f"{chosen_by}, are test images: {len(test.labels)}"
        )
    return _Images(splits, notes, pictures.class_names, prepared.facts)
