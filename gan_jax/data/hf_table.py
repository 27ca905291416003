"""From the tables of the library `datasets` to pictures with labels: which columns, which splits, which classes."""

import io
import os
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from gan_jax.data.classes import listed
from gan_jax.data.pictures.types import Pictures, PictureSet
from gan_jax.system.errors import DataUnavailable, UserError

_SPLITS = {"train": "train", "test": "test", "validation": "validation", "valid": "validation", "val": "validation"}
_LABEL_NAMES = ("label", "labels", "class", "classes", "target", "category")
_IMAGE, _BYTES, _CLASS, _VALUE = "images", "bytes of image files", "classes", "integers or strings"
_NO_LABEL = (None, -1)  # -1 is what the library stores in a column of classes

Tables = dict[str, Any]  # split -> datasets.Dataset


class Columns(NamedTuple):
    """The names of the columns of images and labels; "": they are found."""

    image: str = ""
    label: str = ""


def picture_set(found: Tables, origin: str, columns: Columns, undecoded: Callable[[Any, str], Any]) -> PictureSet:
    """The pictures of the splits train, test and validation, with a name such as train/12 for each row.

    undecoded: (table, column) -> the table, with {"bytes", "path"} of an image file in each row of the column.
    UserError if a column must be chosen, DataUnavailable if the tables are no images.
    """
    tables, notes = _used(found, origin)
    kinds = {name: _kind(feature) for name, feature in tables["train"].features.items()}
    image = _choose(kinds, columns.image, ((_IMAGE,), (_BYTES,)), "image_column", origin)
    if not image:
        raise DataUnavailable(f"{origin} has no column of images (its columns: {listed(list(kinds))})")
    label = _label_column(kinds, columns.label, origin)
    for split, table in tables.items():
        if missing := {image, label} - {"", *table.features}:
            raise DataUnavailable(
                f"{origin}: the split {split} has no column '{min(missing)}'; give all splits the same"
            )
    labels, class_names = {split: np.zeros(len(table), np.int32) for split, table in tables.items()}, ()
    if label:
        labels, class_names, more_notes = _labels(tables, label, origin)
        notes += more_notes
    if "validation" in labels and "test" not in labels:
        labels["test"], tables["test"] = labels.pop("validation"), tables["validation"]
        notes.append("there are no test images, so those of the validation split are test images")
    stamp = repr([(split, tables[split]._fingerprint) for split in labels] + [image, label])  # noqa: SLF001
    splits = {}
    for split in labels:
        names = tuple(f"{split}/{row}" for row in range(len(tables[split])))
        rows = undecoded(tables[split].select_columns([image]), image)
        splits[split] = Pictures(names, labels[split], _Opener(rows, image))
    return PictureSet(origin, splits, class_names, stamp, tuple(notes), are_rows=True)


class _Opener:
    """(row) -> its picture as a file."""

    def __init__(self, table: Any, column: str):
        self._table, self._column = table, column

    def __call__(self, row: int) -> BinaryIO:
        picture = self._table[row][self._column]
        if picture is None:
            raise ValueError("its row has no image")
        if picture["bytes"] is not None:
            return io.BytesIO(picture["bytes"])
        if not os.path.isfile(picture["path"] or ""):  # Also a device or a pipe, which would be read for ever.
            raise ValueError(f"its row has no bytes, and {picture['path']} is no file")
        return open(picture["path"], "rb")


def _used(found: Tables, origin: str) -> tuple[Tables, list[str]]:
    """(the splits with images, by our names; notes about the others). DataUnavailable without training images."""
    tables, notes = {}, []
    for name, table in found.items():
        split = _SPLITS.get(name)
        if split in tables:
            raise DataUnavailable(f"{origin} has two splits for {split}: {listed(list(found))}; keep one")
        if split and len(table):
            tables[split] = table
        else:
            notes.append(f"split {name} is not used: {'it is empty' if split else 'the name is unknown'}")
    if "train" not in tables:
        raise DataUnavailable(f"{origin} has no images in a split train (its splits: {listed(list(found)) or 'none'})")
    return tables, notes


def _kind(feature: Any) -> str:
    """What a column can be used for; "" for nothing."""
    kind, dtype = type(feature).__name__, str(getattr(feature, "dtype", ""))
    if kind == "Image":
        return _IMAGE
    if kind == "ClassLabel":
        return _CLASS
    if dtype.endswith("binary") or (isinstance(feature, dict) and set(feature) == {"bytes", "path"}):
        return _BYTES
    is_value = kind == "Value" and (dtype.startswith(("int", "uint", "bool")) or dtype.endswith("string"))
    return _VALUE if is_value else ""


def _choose(kinds: dict[str, str], chosen: str, fitting: tuple[tuple[str, ...], ...], knob: str, origin: str) -> str:
    """The column that the user names, or the only one of the first kinds that there are; "" if there is none.

    kinds: column -> kind. fitting: kinds, those that are preferred first.
    """
    if chosen and chosen not in kinds:
        raise UserError(f"data.{knob}={chosen}: {origin} has no such column; it has {listed(list(kinds))}")
    allowed = [kind for group in fitting for kind in group]
    if chosen and kinds[chosen] not in allowed:
        raise UserError(f"data.{knob}={chosen}: this column of {origin} has no {' and no '.join(allowed)}")
    if chosen:
        return chosen
    names = next(filter(None, ([name for name in kinds if kinds[name] in group] for group in fitting)), [""])
    if len(names) > 1:
        raise UserError(
            f"{origin} has several columns for data.{knob}: {listed(names)}; set --config.data.{knob}={names[0]}, say"
        )
    return names[0]


def _label_column(kinds: dict[str, str], chosen: str, origin: str) -> str:
    """The column of labels. A column of integers or strings is one if the user says so, or if it is named like one."""
    if not chosen:
        kinds = {name: kind for name, kind in kinds.items() if kind != _VALUE or name.lower() in _LABEL_NAMES}
    return _choose(kinds, chosen, ((_CLASS,), (_VALUE,)), "label_column", origin)


def _labels(tables: Tables, column: str, origin: str) -> tuple[dict[str, np.ndarray], tuple[str, ...], list[str]]:
    """(labels int32 [N] of each split, class names, notes). A test or validation split without any is left out."""
    values = {split: table.select_columns([column])[:][column] for split, table in tables.items()}
    notes = []
    for split in list(values):
        missing = sum(value in _NO_LABEL for value in values[split])
        if missing == len(values[split]) and split != "train":
            notes.append(f"split {split} is not used: its images have no labels")
            del values[split]
        elif missing:
            raise DataUnavailable(
                f"{origin}: {missing} of {len(values[split])} images in the split {split} have no '{column}'; remove "
                "them, or choose another --config.data.label_column"
            )
    names = getattr(tables["train"].features[column], "names", None)
    if names is None:
        distinct = sorted(set().union(*values.values()))
        index = {value: position for position, value in enumerate(distinct)}
        values = {split: [index[value] for value in of_split] for split, of_split in values.items()}
        names = map(str, distinct)
    return {split: np.array(of_split, np.int32) for split, of_split in values.items()}, tuple(names), notes
