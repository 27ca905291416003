"""NumPy's .npz files: arrays of images and labels of the user's own, of all splits in one file or in a file for each.

Only the headers are read until everything that they say has been checked. No pickled object is ever loaded.
"""

import contextlib
import math
import pathlib
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gan_jax.data.classes import listed
from gan_jax.data.dataset import Split
from gan_jax.data.memory import MemoryPolicy
from gan_jax.data.splits import check_split
from gan_jax.system.errors import DataUnavailable, UserError

_SPLITS = {"train": ("train",), "test": ("test",), "validation": ("validation", "valid", "val")}
_KINDS = {"images": ("images", "x"), "labels": ("labels", "y")}
_CHANNELS = (1, 3)
_MOST_LABEL = 2**31 - 1
AXES = ("", "NHWC", "NCHW")
_EXAMPLES = "train_images and train_labels, x_train and y_train, or images and labels"


class Header(NamedTuple):
    """Shape and type of an array, from the start of its data."""

    shape: tuple[int, ...]
    dtype: np.dtype

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join(map(str, self.shape))}]"


class _Arrays(NamedTuple):
    """The arrays of one split. labels: their key, or "" without any. swap: whether axis 1 of the images is C."""

    path: pathlib.Path
    images: str
    labels: str
    swap: bool


class Content(NamedTuple):
    """splits: (train,), (train, test) or (train, test, validation). notes: what is not used, for the user."""

    splits: tuple[Split, ...]
    has_labels: bool
    notes: tuple[str, ...]


def read(path: pathlib.Path, axes: str, policy: MemoryPolicy) -> Content:
    """The splits of one .npz file, or of a folder with train.npz and perhaps test.npz and validation.npz.

    axes: of images with four axes: "NHWC", "NCHW", or "" if their shape shows it.
    DataUnavailable for a damaged file, or for arrays that are no images and labels; UserError if the axes must be
    given, or if the images are larger than `policy` allows in memory.
    """
    files = _files(path)
    headers = {file: _headers(file) for file in dict.fromkeys(files.values())}
    found = {}
    for split, file in files.items():
        is_own_file = path.is_dir() or split == "train"
        if arrays := _find(file, headers[file], split, axes, is_own_file):
            found[split] = arrays
    if missing := [split for split in files if split not in found and (path.is_dir() or split == "train")]:
        file = files[missing[0]]
        keys = listed(sorted(headers[file])) or "none"
        raise DataUnavailable(f"{file} has no {missing[0]} images (its arrays: {keys}); name them {_EXAMPLES}")
    _check_labelled(path, found)
    _check_size(path, [headers[arrays.path][arrays.images] for arrays in found.values()], policy)
    notes = _unused(headers, found)
    if "validation" in found and "test" not in found:
        found["test"] = found.pop("validation")
        notes.append("there are no test images, so the validation images are test images")
    splits = tuple(_load(found[split], headers[found[split].path]) for split in _SPLITS if split in found)
    return Content(splits, bool(found["train"].labels), tuple(notes))


def _files(path: pathlib.Path) -> dict[str, pathlib.Path]:
    """split -> the file that may have it. DataUnavailable if a folder has no train.npz."""
    if path.is_file():
        return dict.fromkeys(_SPLITS, path)
    files = {}
    for split, names in _SPLITS.items():
        there = [path / f"{name}.npz" for name in names if (path / f"{name}.npz").is_file()]
        if len(there) > 1:
            raise DataUnavailable(f"{path} has {listed([file.name for file in there])} for one split; keep one")
        if there:
            files[split] = there[0]
    if "train" not in files:
        others = sorted(file.name for file in path.glob("*.npz"))
        has = f"has {listed(others)} and no train.npz" if others else "has no train.npz"
        raise DataUnavailable(f"{path} {has}; name the file itself: --config.data.dir=FILE.npz")
    return files


@contextlib.contextmanager
def _opened(path: pathlib.Path, array: str = "") -> Iterator[zipfile.ZipFile]:
    """The archive. DataUnavailable if it, or `array` in it, cannot be read."""
    what = f"{path} (array {array})" if array else str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (OSError, EOFError, ValueError, SyntaxError, tokenize.TokenError, RuntimeError) as error:
        raise DataUnavailable(f"{what} cannot be read: {error}; save it again with numpy.savez") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise DataUnavailable(f"{what} is damaged or no .npz file: {error}; copy or save it again") from error


def _headers(path: pathlib.Path) -> dict[str, Header]:
    """key -> header of every array of a file."""
    headers = {}
    with _opened(path) as archive:
        for name in archive.namelist():
            if not name.endswith(".npy"):
                continue
            with archive.open(name) as file:
                version = np.lib.format.read_magic(file)
                read_header = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }
                if version in read_header:  # Version 3 is for names of fields, which images and labels have not.
                    shape, _, dtype = read_header[version](file)
                    headers[name.removesuffix(".npy")] = Header(shape, dtype)
    return headers


def _find(path: pathlib.Path, headers: dict[str, Header], split: str, axes: str, is_own_file: bool) -> _Arrays | None:
    """The arrays of a split in a file, checked by their headers; None if the file has none of the split.

    Their names: train_images, images_train, x_train, ...; if the file is the split's own, also images, x, ...
    """
    keys = {kind: _keys(headers, split, names if is_own_file else (), names) for kind, names in _KINDS.items()}
    if several := next((found for found in keys.values() if len(found) > 1), None):
        raise DataUnavailable(f"{path} has {listed(several)} for one split ({split}); keep one")
    images, labels = ((keys[kind] or [""])[0] for kind in _KINDS)
    if not images and not labels:
        return None
    if not images:
        raise DataUnavailable(f"{path} has {labels} and no images of that split; add {split}_images")
    if labels:
        _check_labels(path, labels, headers[labels], images, headers[images])
    return _Arrays(path, images, labels, _is_channels_first(path, images, headers[images], axes))


def _keys(headers: dict[str, Header], split: str, plain: tuple[str, ...], names: tuple[str, ...]) -> list[str]:
    """The arrays with one of the names `plain`, or one of `names` with the split before or after it."""
    with_split = {(part, name) for part in _SPLITS[split] for name in names}
    known = {*plain, *map("_".join, with_split), *(f"{name}_{part}" for part, name in with_split)}
    return [key for key in headers if key.lower() in known]


def _is_channels_first(path: pathlib.Path, key: str, header: Header, axes: str) -> bool:
    """Whether axis 1 of the images is the channels; DataUnavailable if they are no images of 8 bits."""
    shape = header.shape
    if header.dtype != np.uint8:
        advice = (
            "if they are from 0 to 1, save (255 * images).round().astype(numpy.uint8)"
            if header.dtype.kind == "f"
            else "if they are from 0 to 255, save images.astype(numpy.uint8)"
        )
        raise DataUnavailable(f"{path}: {key} is {header}, not uint8; {advice}")
    if len(shape) not in (3, 4):
        raise DataUnavailable(f"{path}: {key} is {header}; reshape it to [N, H, W], [N, H, W, C] or [N, C, H, W]")
    if len(shape) == 3:
        return False
    first, last = shape[1] in _CHANNELS, shape[3] in _CHANNELS
    if axes and not (last if axes == "NHWC" else first):
        raise UserError(
            f"{path}: {key} is {header}, and with data.axes={axes} it has "
            f"{shape[axes.index('C')]} channels, not 1 or 3; set --config.data.axes="
        )
    if not axes and first and last:
        raise UserError(
            f"{path}: {key} is {header}, whose channels may be axis 1 or axis 3; set --config.data.axes=NHWC or NCHW"
        )
    if not first and not last:
        raise DataUnavailable(
            f"{path}: {key} is {header}, with no axis of 1 or 3 channels; save images[..., :3], say, for RGB"
        )
    return axes == "NCHW" or (not axes and first)


def _check_labels(path: pathlib.Path, key: str, header: Header, images_key: str, images: Header) -> None:
    """DataUnavailable if the labels are not integers [N] or [N, 1] with N as of the images."""
    if not np.issubdtype(header.dtype, np.integer):
        kind = "Python objects" if header.dtype.hasobject else str(header)
        raise DataUnavailable(f"{path}: {key} is {kind}, not integers; save numbers from 0 (numpy.unique makes them)")
    if len(header.shape) != 1 and header.shape[1:] != (1,):
        advice = "save labels.argmax(axis=1), if it is one-hot" if len(header.shape) == 2 else "save one label an image"
        raise DataUnavailable(f"{path}: {key} is {header}, not [N] or [N, 1]; {advice}")
    if header.shape[0] != (images.shape or (0,))[0]:
        raise DataUnavailable(f"{path}: {images_key} is {images} and {key} {header}; give each image one label")


def _check_labelled(path: pathlib.Path, found: dict[str, _Arrays]) -> None:
    with_labels = [split for split, arrays in found.items() if arrays.labels]
    without = [split for split in found if split not in with_labels]
    if with_labels and without:
        raise DataUnavailable(
            f"{path}: {', '.join(with_labels)} has labels and {', '.join(without)} has none; give both the same"
        )


def _check_size(path: pathlib.Path, headers: list[Header], policy: MemoryPolicy) -> None:
    """UserError if the images are larger than `policy` allows: .npz files cannot be streamed."""
    size = sum(math.prod(header.shape) for header in headers)
    if policy.stream != "never" and size > policy.most_bytes:
        raise UserError(
            f"the images of {path} take {size / 2**30:.3g} GiB of memory, more than data.resident_gib="
            f"{policy.most_bytes / 2**30:.3g}, and .npz files cannot be streamed; keep them in memory all the same: "
            "--config.data.stream=never; or save each as an image file: --config.data.name=folder"
        )


def _unused(headers: dict[pathlib.Path, dict[str, Header]], found: dict[str, _Arrays]) -> list[str]:
    """One line for each file with arrays that are not used."""
    used = {(arrays.path, key) for arrays in found.values() for key in (arrays.images, arrays.labels)}
    unused = {file: sorted(key for key in keys if (file, key) not in used) for file, keys in headers.items()}
    return [f"arrays of {file.name} that are not used: {listed(keys)}" for file, keys in unused.items() if keys]


def _load(arrays: _Arrays, headers: dict[str, Header]) -> Split:
    images = _array(arrays.path, arrays.images)
    images = images[..., None] if images.ndim == 3 else images
    images = np.ascontiguousarray(images.transpose(0, 2, 3, 1) if arrays.swap else images)
    labels = np.zeros(len(images), np.int32)
    if arrays.labels:
        labels = _array(arrays.path, arrays.labels).reshape(headers[arrays.labels].shape[0])
        if len(labels) and labels.max() > _MOST_LABEL:
            raise DataUnavailable(f"{arrays.path}: {arrays.labels} has a label above {_MOST_LABEL}; number the classes")
    return check_split(Split(images, labels), f"{arrays.path} ({arrays.images})")


def _array(path: pathlib.Path, key: str) -> np.ndarray:
    with _opened(path, key) as archive, archive.open(f"{key}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)
