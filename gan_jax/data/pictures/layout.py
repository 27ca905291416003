"""From the names of files to splits and classes.

A set is flat (no labels), has one folder for each class, or has the folders train/, test/ and validation/ that are one
or the other. A folder that is alone at the top is no class: it is how archives wrap their content.
"""

import pathlib
import unicodedata

import numpy as np

from gan_jax.data.classes import listed
from gan_jax.data.pictures.tree import File, Tree, read_tree
from gan_jax.data.pictures.types import Pictures, PictureSet, Skipped, readable
from gan_jax.system.errors import DataUnavailable

_SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "valid", "val"),
}
_SPLITS = {folder: split for split, folders in _SPLIT_FOLDERS.items() for folder in folders}


def read_pictures(path: pathlib.Path) -> PictureSet:
    """The images of a folder or a .zip file. DataUnavailable if it has none, or if its folders are no known layout."""
    skipped = Skipped()
    tree = read_tree(path, skipped)
    if not tree.files:
        raise DataUnavailable(f"{path} has no image files{''.join('; ' + line for line in skipped.lines())}")
    parts = _parts_by_split(path, tree.files)
    labelled = {name: any("/" in below for below in files) for name, files in parts.items()}
    if len(set(labelled.values())) > 1:
        with_classes, without = (", ".join(n for n, has in labelled.items() if has is kind) for kind in (True, False))
        raise DataUnavailable(f"{path}: {with_classes} has class folders and {without} has none; give both the same")
    has_labels = labelled["train"]
    if has_labels:
        for files in parts.values():
            for loose in [below for below in files if "/" not in below]:
                skipped.add("they are in no class folder", files.pop(loose).name)
    class_names = sorted({_class(below) for files in parts.values() for below in files}) if has_labels else []
    notes = [*_folders_without_images(tree), *skipped.lines()]
    if "validation" in parts and "test" not in parts:
        parts["test"] = parts.pop("validation")
        notes.append("there is no test folder, so the images of the validation folder are test images")
    splits = {name: _pictures(tree, files, class_names) for name, files in parts.items()}
    return PictureSet(str(path), splits, tuple(map(readable, class_names)), tree.stamp, tuple(notes))


def _parts_by_split(path: pathlib.Path, files: list[File]) -> dict[str, dict[str, File]]:
    """split -> {the part of a file's name below the folder of the split: the file}."""
    below = {file.name: file for file in files}
    while (top := {name.partition("/")[0] for name in below if "/" in name}) and len(top) == 1:
        (folder,) = top
        if folder.lower() in _SPLITS or not all("/" in name for name in below):
            break
        below = {name.partition("/")[2]: file for name, file in below.items()}
    split_folders = {folder for folder in top if folder.lower() in _SPLITS}
    if not any(_SPLITS[folder.lower()] == "train" for folder in split_folders):
        if split_folders and split_folders == top:
            raise DataUnavailable(f"{path} has {listed(sorted(top))} and no folder train; add it")
        return {"train": below}
    if len({_SPLITS[folder.lower()] for folder in split_folders}) < len(split_folders):
        raise DataUnavailable(f"{path} has two folders for one split: {listed(sorted(split_folders))}; keep one")
    if others := sorted(top - split_folders):
        raise DataUnavailable(f"{path} has {listed(others)} beside the folder train; move it into train, or out of it")
    parts = {}
    for name, file in below.items():
        folder, has_folder, rest = name.partition("/")
        if has_folder:
            parts.setdefault(_SPLITS[folder.lower()], {})[rest] = file
    return parts


def _class(below: str) -> str:
    """The class of a file, in one form of Unicode, because file systems differ in theirs."""
    return unicodedata.normalize("NFC", below.partition("/")[0])


def _folders_without_images(tree: Tree) -> list[str]:
    """One line if there are any: an empty class folder is no class."""
    with_files = {file.name.rpartition("/")[0] for file in tree.files}
    used = with_files | {str(above) for folder in with_files for above in pathlib.PurePosixPath(folder).parents}
    empty = sorted(map(readable, tree.folders - used))
    return [f"{len(empty)} {'folder has' if len(empty) == 1 else 'folders have'} no image: {listed(empty)}"] * bool(
        empty
    )


def _pictures(tree: Tree, files: dict[str, File], class_names: list[str]) -> Pictures:
    names = tuple(file.name for file in files.values())
    index = {name: position for position, name in enumerate(class_names)}
    labels = [index[_class(below)] if class_names else 0 for below in files]
    return Pictures(tuple(files), np.array(labels, np.int32), lambda row: tree.open(names[row]))
