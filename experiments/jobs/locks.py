"""A file lock that only one process at a time can have.

The lock is released when the process that acquired it, and all children that inherited it, have ended. Only the
standard library is imported: a cluster's nodes use this module before their packages are checked.
"""

import pathlib
import time
from collections.abc import Callable
from typing import IO

try:
    import fcntl
except ImportError:
    fcntl = None  # Windows has no fcntl; there is no lock there.

_POLL_SECONDS = 0.2


def acquire(path: pathlib.Path, stopping: Callable[[], bool]) -> IO | None:
    """Waits until no other process has the lock; returns the open, locked file, or None if `stopping` is true first.

    Closing the file releases the lock, unless a child that inherited it is still running.
    """
    file = path.open("a")
    while True:
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if stopping():
                file.close()
                return None
            time.sleep(_POLL_SECONDS)


def lock_descriptors(file: IO) -> tuple[int, ...]:
    """The file descriptors (pass_fds) with which a child inherits the lock."""
    return (file.fileno(),) if fcntl else ()
