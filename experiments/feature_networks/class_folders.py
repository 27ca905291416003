"""Images in the folders train/CLASS and test/CLASS, or in a zip file of these folders."""

import io
import pathlib
import zipfile
from collections.abc import Callable

import numpy as np
from PIL import Image

from gan_jax.data.dataset import Dataset, Source, Split
from gan_jax.system.errors import DataUnavailable, UserError

_SUFFIXES = {".jpg", ".jpeg", ".png"}


def load(text: str, name: str) -> Dataset:
    """The data set at a path: a folder or a zip file, with RGB images of one size. name: of the data set in records."""
    path = pathlib.Path(text).expanduser()
    if path.is_dir():
        files = [str(file.relative_to(path).as_posix()) for file in path.rglob("*")]
        return _dataset(text, name, files, lambda file: (path / file).read_bytes())
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise UserError(f"--images={text} is neither a folder nor a zip file")
    with zipfile.ZipFile(path) as archive:
        return _dataset(text, name, archive.namelist(), archive.read)


def _dataset(text: str, name: str, files: list[str], read: Callable[[str], bytes]) -> Dataset:
    found = {"train": {}, "test": {}}
    for file in sorted(files):
        *_, split, class_name, last = ("", "", *file.split("/"))
        if split in found and pathlib.PurePosixPath(last).suffix.lower() in _SUFFIXES:
            found[split].setdefault(class_name, []).append(file)
    class_names = tuple(found["train"])
    if len(class_names) < 2 or tuple(found["test"]) != class_names:
        raise DataUnavailable(f"--images={text} needs images in train/CLASS and test/CLASS, of the same classes")
    splits = (_split([found[split][class_name] for class_name in class_names], read) for split in ("train", "test"))
    return Dataset(name, Source("class folders"), name, *splits, class_names)


def _split(classes: list[list[str]], read: Callable[[str], bytes]) -> Split:
    images = [np.asarray(Image.open(io.BytesIO(read(file))).convert("RGB")) for files in classes for file in files]
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(files) for files in classes])
    if len({image.shape for image in images}) > 1:
        raise DataUnavailable("--images: the images have several sizes; one size is needed")
    return Split(np.stack(images), labels)
