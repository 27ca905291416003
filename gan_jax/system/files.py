"""Atomic writes, JSON with a checksum, and the errors of a full disk or a refused path."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterator

from gan_jax.system.errors import UserError

# No space left, no quota left, a file beyond the size that is allowed.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What a user can do something about: rights, a folder that is only for reading, a file in the place of a folder.
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
# What json raises: the second for brackets in brackets, thousands deep.
_NO_JSON = (ValueError, RecursionError)
_SEAL = "sha256"
_unfinished: set[pathlib.Path] = set()


@contextlib.contextmanager
def atomic_write(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Atomic write: yields a temporary path, renames it to `path` on success, deletes it on error.

    The temporary path has the suffix of `path`, and a name that no other process chooses.
    """
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    _unfinished.add(partial)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        _unfinished.discard(partial)


def remove_unfinished() -> None:
    """Deletes the temporary paths of all writes under way, before a process ends at once."""
    for partial in list(_unfinished):
        partial.unlink(missing_ok=True)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file atomically."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _seal(table: dict) -> str:
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def write_sealed(path: pathlib.Path, table: dict) -> None:
    """A JSON object with the sha256 of its other entries among them."""
    plain = json.loads(json.dumps(table))  # With JSON's lists and strings, as it will be read.
    write_text(path, json.dumps({**plain, _SEAL: _seal(plain)}, indent=2, sort_keys=True) + "\n")


def read_table(path: pathlib.Path, remedy: str = "restore it") -> dict:
    """A JSON object; UserError with the remedy where a file holds none."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, *_NO_JSON) as error:
        raise UserError(f"{path} cannot be read: {error}; {remedy}") from error
    if not isinstance(table, dict):
        raise UserError(f"{path} holds no JSON object; {remedy}")
    return table


def read_sealed(path: pathlib.Path, remedy: str = "restore it") -> dict:
    """What `write_sealed` wrote; UserError with the remedy where it is not that any more."""
    table = read_table(path, remedy)
    if table.pop(_SEAL, "") != _seal(table):
        raise UserError(f"{path} was damaged or changed after it was written; {remedy}")
    return table


def cannot_be_reached(error: BaseException) -> str:
    """What the system says of a path that it refuses, "" for any other error."""
    if not isinstance(error, OSError) or error.errno not in _REFUSED or not error.filename:
        return ""
    return f"{error.filename}: {error.strerror}"


@contextlib.contextmanager
def writing(what: str) -> Iterator[None]:
    """UserError "`what` cannot be written" for what a system refuses inside; a full disk stays what it is."""
    try:
        yield
    except OSError as error:
        if disk_is_full(error):
            raise
        raise UserError(f"{what} cannot be written: {error.strerror}") from error


def disk_is_full(error: BaseException) -> bool:
    """Whether an error, or one that it arose from, says that nothing more can be written.

    Libraries in C++ have no OSError: theirs name the system's error in the text.
    """
    while error is not None:
        codes = {getattr(error, "errno", None), *map(int, re.findall(r"os_error_code='(\d+)'", str(error)))}
        if codes & set(_FULL) or (not isinstance(error, OSError) and os.strerror(errno.ENOSPC) in str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False
