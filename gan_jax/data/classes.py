"""The classes of a data set: the distinct labels of its training images."""

import numpy as np

from gan_jax.data.dataset import Split
from gan_jax.system.errors import DataUnavailable

_NAMED = 10  # classes that a message names; of others it says how many they are


def numbered(num_classes: int) -> tuple[str, ...]:
    """The names of classes whose labels are 0, 1, ..., K - 1."""
    return tuple(map(str, range(num_classes)))


def listed(names: list[str]) -> str:
    """Names separated by commas, for a message: the first few of a long list, and the number of the others."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def index_classes(
    splits: dict[str, Split], names: tuple[str, ...] | None = None
) -> tuple[dict[str, Split], tuple[str, ...], list[str]]:
    """(splits, class names, notes): labels become 0, ..., K - 1, positions in the class names.

    splits: "train", "test", perhaps "validation".
    names: of the labels 0, 1, ...; None: a label's name is its number.
    The classes are the distinct labels of the training images in rising order. Test and validation images of other
    classes are left out; `notes` says so.
    DataUnavailable if a training image has no label, or if no image of another split remains.
    """
    labels = splits["train"].labels
    values = np.unique(labels)
    if values[0] < 0:
        raise DataUnavailable(f"training images without a label: {np.sum(labels < 0)}, with {values[0]} as label")
    name_of = str if names is None else names.__getitem__
    notes, indexed = [], {}
    for split_name, split in splits.items():
        known = np.isin(split.labels, values)
        if not known.any():
            raise DataUnavailable(
                f"no {split_name} image has a class of the training images: the training images have "
                f"{listed(list(map(name_of, values)))}, the {split_name} images "
                f"{listed(list(map(name_of, np.unique(split.labels))))}; give a {split_name} split of the same classes"
            )
        if not known.all():
            others, counts = np.unique(split.labels[~known], return_counts=True)
            counted = listed([f"{name_of(label)} ({count})" for label, count in zip(others, counts, strict=True)])
            notes.append(
                f"{counts.sum()} {split_name} images are left out, because no training image has their class: {counted}"
            )
            split = split.select(known)
        if not np.array_equal(values, np.arange(len(values))):
            split = split._replace(labels=np.searchsorted(values, split.labels).astype(np.int32))
        indexed[split_name] = split
    return indexed, tuple(map(name_of, values)), notes
