"""One run on a node of a Ray cluster.

The standard library alone, and `locks`: both are sent to the node, which may turn out to have nothing else.
"""

import contextlib
import importlib.metadata
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping

from experiments.jobs.locks import acquire

STOPPED = 75  # gan_jax.system.errors.Interrupted.exit_code
_LOOK_SECONDS = 0.2


def survey(place: str, workdir: str, token: str, versions: Mapping[str, str]) -> str:
    """What keeps a node from being of use, "" where nothing does.

    place: the checkout; token: a file that the driver has just written in the workdir; versions: the driver's packages.
    """
    if not pathlib.Path(place, "experiments").is_dir():
        return f"has no checkout in {place}; put the same one there on every node"
    shared = pathlib.Path(place, workdir)
    if not (shared / token).is_file():
        return f"does not see --workdir={workdir}; give a folder that every node shares"
    try:
        with tempfile.TemporaryFile(dir=shared):
            pass
    except OSError as error:
        return f"cannot write to --workdir={workdir}: {error.strerror}"
    for name, expected in versions.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found != expected:
            return f"has {name} {found}, and this machine {expected}; install the same on both"
    return ""


def _claimed(core: int) -> socket.socket | None:
    """The right to a core of this machine, None where another run has it; held by who inherits the socket, too."""
    right = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        right.bind(f"\0gan_jax-core-{core}")
    except OSError:
        right.close()
        return None
    return right


@contextlib.contextmanager
def _pinned(number: int) -> Iterator[list[int]]:
    """Pins this thread and its children to `number` cores, free ones first; yields what a child must inherit.

    Ray counts cores and pins nothing: without this every run would compute with as many threads as there are cores.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield []
        return
    cores = sorted(os.sched_getaffinity(0))
    rights = {}
    for core in cores:
        if len(rights) < number and (right := _claimed(core)):
            rights[core] = right
    others = [core for core in cores if core not in rights]
    # More runs than cores: they share, as local ones do.
    shared = random.sample(others, min(number - len(rights), len(others)))
    os.sched_setaffinity(0, {*rights, *shared})
    try:
        yield [right.fileno() for right in rights.values()]
    finally:
        for right in rights.values():
            right.close()


class Worker:
    """The process of one run; an actor of Ray's, so that it can be told to stop while it runs."""

    def __init__(self):
        self._told = threading.Event()

    def where(self) -> tuple[str, int]:
        """Machine and process."""
        return socket.gethostname(), os.getpid()

    def stop(self) -> None:
        self._told.set()

    def run(
        self, place: str, folder: str, words: list[str], cores: int, compiled: str, settings: dict[str, str]
    ) -> tuple[int, list[str]]:
        """(exit code, records that lie there) of `python -m words` in `place`.

        compiled: where machines keep what they have compiled; settings: of the environment.
        """
        os.chdir(place)
        own = pathlib.Path(folder)
        if not own.is_dir():
            raise FileNotFoundError(f"{socket.gethostname()} does not see {own}")
        # Whoever was here before, and lost its worker, is still saving.
        if not (lock := acquire(own / ".lock", self._told.is_set)):
            return STOPPED, []
        with lock, (own / "log.txt").open("a") as log, _pinned(cores) as rights:
            process = subprocess.Popen(
                [sys.executable, "-m", "experiments.jobs.tethered", *words],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_environment(compiled, settings),
                start_new_session=True,
                pass_fds=(lock.fileno(), *rights),
            )
            while process.poll() is None and not self._told.wait(_LOOK_SECONDS):
                pass
            process.stdin.close()
            code = process.wait()
        return code, [str(path) for where in (own, own.parent) for path in where.glob("seed-*.json")]


def _environment(compiled: str, settings: dict[str, str]) -> dict[str, str]:
    """The node's own, under `settings`. Compiled programs are machine code: every machine has a folder of its own."""
    # Ray sets it by its own count of cores; libraries count those that the process is pinned to.
    own = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return {"JAX_COMPILATION_CACHE_DIR": os.path.join(compiled, socket.gethostname())} | own | settings
