"""Loads the data set that a config names: finds it, converts its images, and numbers its classes."""

import logging
import pathlib
from typing import Any, NamedTuple

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


class Images(NamedTuple):
    """Converted images, with the splits that their source has.

    splits: "train", perhaps "test" and "validation".
    class_names: of the labels; None: the labels are their own names; (): there are no labels.
    file_names: of pictures, by split.
    """

    splits: dict[str, Split]
    notes: list[str]
    class_names: tuple[str, ...] | None = None
    facts: tuple[str, ...] = ()
    file_names: dict[str, tuple[str, ...]] | None = None


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
    splits, notes, label_names, facts = _with_test(_convert(found, cache_folder, settings), found, settings)
    if folder and name not in ("idx", found.name):
        notes.append(f"data.dir has IDX files, so data.name={name} is not used: the records call these images idx")
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


def load_images(name: str, folder: str = "", data_dir: str = "", **options) -> tuple[Images, Found]:
    """The images of a set with its own splits only, and where they are from. The arguments are those of `load`."""
    settings = Settings(**options)
    settings.check()
    cache_folder = cache.folder(data_dir).absolute()
    found = find(*named_path(name, folder), cache_folder, settings)
    return _convert(found, cache_folder, settings), found


def _with_test(images: Images, found: Found, settings: Settings) -> tuple[dict[str, Split], list[str], Any, Any]:
    """(splits, notes, class names, facts): training images become test images if the source has no test split."""
    splits, notes, class_names, facts, file_names = images
    if "test" in splits:
        return splits, notes, class_names, facts
    if file_names:
        pictures, share = found.splits, settings.test_share
        train, test = split_off_by_name(splits["train"], file_names["train"], pictures.origin, share)
        part, chosen_by = ("split", "row numbers") if pictures.are_rows else ("folder", "names")
        note = (
            f"there is no test {part}, so {share:.4g} of the images, chosen by a hash of their {chosen_by}, are test "
            f"images: {len(test.labels)}"
        )
    else:
        train, test = split_off_test(splits["train"], f"'{found.name}' from {found.source}", settings.test_share)
        note = (
            f"{found.name} has no test split, so {settings.test_share:.4g} of the training images of each class are "
            f"test images: {len(test.labels)}"
        )
    return splits | {"train": train, "test": test}, [*notes, note], class_names, facts


def _convert(found: Found, cache_folder: pathlib.Path, settings: Settings) -> Images:
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
    return Images(by_name, notes, None if found.has_labels else ())


def _pictures(pictures: PictureSet, cache_folder: pathlib.Path, settings: Settings) -> Images:
    prepared = prepare(pictures, settings.conversion, settings.background, settings.policy, cache_folder)
    return Images(prepared.splits, list(prepared.notes), pictures.class_names, prepared.facts, prepared.names)
