"""Small folders of image files for tests."""

import io
import zipfile

import numpy as np
from PIL import Image


def noise(seed, height=8, width=8, channels=3):
    """uint8 noise, [H, W, 3] or [H, W]."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def write_images(folder, number, start=0, suffix=".png", **sides):
    """Writes files of noise, START.png, ...; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(start, start + number):
        Image.fromarray(noise(index, **sides)).save(folder / f"{index:03d}{suffix}")
    return folder


def write_classes(root, classes, number=20, **options):
    """A folder for each class; returns the root."""
    for index, name in enumerate(classes):
        write_images(root / name, number, start=index * number, **options)
    return root


def zip_folder(folder, path, prefix=""):
    """A .zip of all files below a folder; returns its path."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, prefix + str(file.relative_to(folder)))
    return path


def write_zip(path, members):
    """A .zip of {name: bytes}; returns its path."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def encoded(picture, file_format, **options):
    """The bytes of a PIL image as a file at its start."""
    file = io.BytesIO()
    picture.save(file, format=file_format, **options)
    file.seek(0)
    return file
