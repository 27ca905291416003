"""Atomic writes, JSON with a checksum, and errors of the file system (full disk, missing rights)."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterator

from gan_jax.system.errors import UserError

# The disk is full, the user's quota is used up, or the file would exceed the largest size that is allowed.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Errors that a user can fix: missing rights, a read-only folder, a file at the path of a folder.
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
# The errors of the json module. It raises RecursionError for brackets that are nested thousands deep.
_JSON_ERRORS = (ValueError, RecursionError)
_CHECKSUM = "sha256"  # the key of the checksum in a sealed file
_unfinished: set[pathlib.Path] = set()


@contextlib.contextmanager
def atomic_write(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Atomic write: yields a temporary path, renames it to `path` on success, deletes it on error.

    The temporary path has the suffix of `path`, and the process id in its name, so that no other process uses it.
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
    """Deletes the temporary files of all unfinished writes. Call it before the process ends at once (os._exit)."""
    for partial in list(_unfinished):
        partial.unlink(missing_ok=True)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file atomically."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _checksum(table: dict) -> str:
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def write_sealed(path: pathlib.Path, table: dict) -> None:
    """Writes a JSON object. Its entry "sha256" is the checksum of all other entries."""
    plain = json.loads(json.dumps(table))  # With JSON's types, for example lists for tuples, as `read_sealed` gets it.
    write_text(path, json.dumps({**plain, _CHECKSUM: _checksum(plain)}, indent=2, sort_keys=True) + "\n")


def read_table(path: pathlib.Path, remedy: str = "restore it") -> dict:
    """The JSON object in a file. UserError with the remedy if the file cannot be read or contains no JSON object."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, *_JSON_ERRORS) as error:
        raise UserError(f"{path} cannot be read: {error}; {remedy}") from error
    if not isinstance(table, dict):
        raise UserError(f"{path} contains no JSON object; {remedy}")
    return table


def read_sealed(path: pathlib.Path, remedy: str = "restore it") -> dict:
    """The JSON object that `write_sealed` wrote. UserError with the remedy if the file was changed since."""
    table = read_table(path, remedy)
    if table.pop(_CHECKSUM, "") != _checksum(table):
        raise UserError(f"{path} was damaged or changed after it was written; {remedy}")
    return table


def refused_path(error: BaseException) -> str:
    """ "path: reason" if the system refused access to a path and the user can fix that; "" for any other error."""
    if not isinstance(error, OSError) or error.errno not in _REFUSED or not error.filename:
        return ""
    return f"{error.filename}: {error.strerror}"


@contextlib.contextmanager
def writing(what: str) -> Iterator[None]:
    """Inside `with`, an OSError becomes a UserError "`what` cannot be written". The error of a full disk is kept."""
    try:
        yield
    except OSError as error:
        if disk_is_full(error):
            raise
        raise UserError(f"{what} cannot be written: {error.strerror}") from error


def disk_is_full(error: BaseException) -> bool:
    """Whether an error, or one of the errors that caused it, is that of a full disk.

    Libraries in C++ raise no OSError: the text of their errors contains the code or the message of the system's error.
    """
    while error is not None:
        codes = {getattr(error, "errno", None), *map(int, re.findall(r"os_error_code='(\d+)'", str(error)))}
        if codes & set(_FULL) or (not isinstance(error, OSError) and os.strerror(errno.ENOSPC) in str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False
