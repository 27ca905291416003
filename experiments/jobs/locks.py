"""One process at a time, by the lock on a file: it goes with the process that holds it, and with those that inherit it.

The standard library alone: nodes of a cluster use it before they are known to have more.
"""

import pathlib
import time
from collections.abc import Callable
from typing import IO

try:
    import fcntl
except ImportError:
    fcntl = None  # Not on Windows: processes are not kept apart there.

_LOOK_SECONDS = 0.2


def acquire(path: pathlib.Path, stopping: Callable[[], bool]) -> IO | None:
    """`path` open and locked, once no other process holds it; None where `stopping` says so first.

    Closing it lets go, unless a child has inherited it and is still at work.
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
            time.sleep(_LOOK_SECONDS)


def inherited(file: IO) -> tuple[int, ...]:
    """What a child must be given (pass_fds) to hold the lock too."""
    return (file.fileno(),) if fcntl else ()
