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


def index_classes(train: Split, test: Split) -> tuple[Split, Split, tuple[str, ...], tuple[str, ...]]:
    """(train, test, names, notes): both splits with labels 0, ..., K - 1, which are positions in `names`.

    The classes are the distinct labels of the training images in rising order, and a name is the label as text. Test
    images of other classes are left out; `notes` says so.
    DataUnavailable if a training image has no label, or if no test image remains.
    """
    values = np.unique(train.labels)
    if values[0] < 0:
        raise DataUnavailable(f"training images without a label: {np.sum(train.labels < 0)}, with {values[0]} as label")
    names, notes = tuple(map(str, values)), ()
    known = np.isin(test.labels, values)
    if not known.all():
        others, counts = np.unique(test.labels[~known], return_counts=True)
        if not known.any():
            raise DataUnavailable(
                f"no test image has a class of the training images: the training images have {listed(list(names))}, "
                f"the test images {listed(list(map(str, others)))}; give a test split of the same classes"
            )
        counted = listed([f"{label} ({count})" for label, count in zip(others, counts, strict=True)])
        notes = (f"{counts.sum()} test images are left out, because no training image has their class: {counted}",)
        test = test.select(known)
    if not np.array_equal(values, np.arange(len(values))):
        train, test = (
            split._replace(labels=np.searchsorted(values, split.labels).astype(np.int32)) for split in (train, test)
        )
    return train, test, names, notes
