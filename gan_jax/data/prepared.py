"""Prepared copies of downloaded sets: their splits as arrays in one .npz file of the cache."""

import pathlib

from gan_jax.data.dataset import Split
from gan_jax.data.splits import check_split
from gan_jax.system import cache
from gan_jax.system.errors import DataUnavailable

_SPLITS, _WHAT = ("train", "test"), "prepared data"


def path_in(folder: pathlib.Path, name: str) -> pathlib.Path:
    """The file of the set `name`."""
    return folder / f"{name.replace('/', '-')}.npz"


def read(path: pathlib.Path) -> tuple[Split, ...]:
    """(train, test), or (train,) for a set without a test split. DataUnavailable names a damaged file."""
    arrays = cache.read(path, _WHAT)
    names = _SPLITS if "test_images" in arrays else _SPLITS[:1]
    try:
        return tuple(check_split(Split(arrays[f"{s}_images"], arrays[f"{s}_labels"]), "it") for s in names)
    except (KeyError, DataUnavailable) as error:
        raise cache.damaged(path, _WHAT, error) from error


def write(path: pathlib.Path, splits: tuple[Split, ...]) -> None:
    """Writes the splits that `read` returns."""
    arrays = {}
    for name, split in zip(_SPLITS, splits, strict=False):
        arrays |= {f"{name}_{field}": array for field, array in split._asdict().items()}
    cache.write(path, arrays)
