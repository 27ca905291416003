"""The files below a folder or in a zip archive, without the ones that are no images."""

import functools
import hashlib
import io
import os
import pathlib
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from PIL import Image

from gan_jax.data.pictures.types import Skipped
from gan_jax.system.errors import DataUnavailable

# Formats that Pillow reads by starting another program, and formats of which it knows only the name.
_NOT_READ = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}
_COMMON = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_MOST_MEMBERS = 5_000_000
_MOST_MEMBER_BYTES = 1 << 30
_UNIX_MODE_SHIFT = 16  # of `external_attr` of a member that was made on Unix
_SYSTEM, _NO_IMAGE, _LINK = "hidden or system files", "no image files by their name", "links"


class File(NamedTuple):
    """name: below the folder, with / between its parts. size: bytes. changed: time, ns; in a .zip the CRC."""

    name: str
    size: int
    changed: int


class Tree(NamedTuple):
    """files: sorted by name. folders: all folders below the top. open: (name) -> a binary file at its start."""

    files: list[File]
    folders: set[str]
    open: Callable[[str], BinaryIO]

    @property
    def stamp(self) -> str:
        """sha256 of names, sizes and times of change."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(repr(file).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


@functools.cache
def formats() -> tuple[str, ...]:
    """The image formats that are read, as Pillow names them, in the order in which a file is tried."""
    Image.init()
    return (*_COMMON, *sorted(set(Image.OPEN) - _NOT_READ - set(_COMMON)))


@functools.cache
def _suffixes() -> frozenset[str]:
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in formats())


def _reason_to_skip(name: str) -> str:
    """Why a file is not read, by its name; "" if it may be an image. A name without a suffix may be one."""
    parts = name.split("/")
    if any(part.startswith(".") or part.lower() in _SYSTEM_FILES for part in parts):
        return _SYSTEM
    suffix = os.path.splitext(parts[-1])[1].lower()
    return _NO_IMAGE if suffix and suffix not in _suffixes() else ""


def read_tree(path: pathlib.Path, skipped: Skipped) -> Tree:
    """The files of a folder or a .zip file. DataUnavailable if it cannot be read."""
    return _read_zip(path, skipped) if path.is_file() else _read_folder(path, skipped)


def _read_folder(path: pathlib.Path, skipped: Skipped) -> Tree:
    files, folders = [], set()
    try:
        for entry, name in _walk(path, "", (os.path.realpath(path),), skipped):
            if entry.is_dir():
                folders.add(name)
            elif reason := _reason_to_skip(name):
                skipped.add(reason, name)
            else:
                info = entry.stat()
                files.append(File(name, info.st_size, info.st_mtime_ns))
    except OSError as error:
        raise DataUnavailable(f"{error.filename or path} cannot be read: {error.strerror}; check its rights") from error
    return Tree(sorted(files), folders, lambda name: open(os.path.join(path, name), "rb"))  # noqa: SIM115


def _walk(folder, prefix: str, parents: tuple[str, ...], skipped: Skipped) -> Iterator[tuple[os.DirEntry, str]]:
    """Every entry below a folder and its name. Links are followed, except broken ones and those to a folder above."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = prefix + entry.name
            if entry.is_symlink():
                target = os.path.realpath(entry.path)
                if not os.path.exists(target) or target in parents:
                    skipped.add("links that lead nowhere or to a folder above", name)
                    continue
            if not entry.is_dir():
                if entry.is_file():  # No socket, no device.
                    yield entry, name
            elif _reason_to_skip(name) == _SYSTEM:
                skipped.add(_SYSTEM, name + "/")
            else:
                yield entry, name
                yield from _walk(entry.path, name + "/", (*parents, os.path.realpath(entry.path)), skipped)


def _read_zip(path: pathlib.Path, skipped: Skipped) -> Tree:
    try:
        archive = zipfile.ZipFile(path)  # noqa: SIM115 - it stays open, because its members are read later.
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise DataUnavailable(f"{path} is no zip archive, or it is damaged: {error}") from error
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise DataUnavailable(f"{path} has {len(members)} members, more than {_MOST_MEMBERS}; unpack it")
    by_name, folders = {}, set()
    for member in members:
        _check_member(path, member)
        if member.is_dir():
            folders.add(member.filename.rstrip("/"))
        elif stat.S_ISLNK(member.external_attr >> _UNIX_MODE_SHIFT):
            skipped.add(_LINK, member.filename)
        elif reason := _reason_to_skip(member.filename):
            skipped.add(reason, member.filename)
        else:
            by_name[member.filename] = member
    files = sorted(File(name, member.file_size, member.CRC) for name, member in by_name.items())
    return Tree(files, folders, _ZipOpener(archive, by_name))


class _ZipOpener:
    """(name) -> a member of the archive, in memory. Threads read one after the other: the archive is one file."""

    def __init__(self, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]):
        self._archive, self._members, self._lock = archive, members, threading.Lock()

    def __call__(self, name: str) -> BinaryIO:
        with self._lock:
            return io.BytesIO(self._archive.read(self._members[name]))


def _check_member(path: pathlib.Path, member: zipfile.ZipInfo) -> None:
    """DataUnavailable for a member that no archive of pictures has."""
    name = member.filename
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or name[1:2] == ":":
        raise DataUnavailable(f"{path} has a member outside of the archive: {name}; pack it again")
    if member.flag_bits & 1:
        raise DataUnavailable(f"{path} is encrypted ({name}); unpack it")
    if name.lower().endswith(_ARCHIVES):
        raise DataUnavailable(f"{path} has another archive inside: {name}; unpack it")
    if member.file_size > _MOST_MEMBER_BYTES:
        raise DataUnavailable(f"{path}: {name} has {member.file_size} bytes, more than an image has")
