"""One run on a node of a Ray cluster.

Imports only the standard library and `locks`. Both modules are sent to the node, which may have no checkout.
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
_POLL_SECONDS = 0.2


def survey(checkout: str, workdir: str, token: str, versions: Mapping[str, str]) -> str:
    """The reason why a node cannot be used; "" if it can.

    checkout: folder of the code.
    token: name of a file that the driver has just written in the workdir.
    versions: package -> version of the driver.
    """
    if not pathlib.Path(checkout, "experiments").is_dir():
        return f"has no checkout in {checkout}; put the same one there on every node"
    shared = pathlib.Path(checkout, workdir)
    if not (shared / token).is_file():
        return f"does not see --workdir={workdir}; give a folder that every node shares"
    try:
        with tempfile.TemporaryFile(dir=shared):
            pass
    except OSError as error:
        return f"cannot write to --workdir={workdir}: {error.strerror}"
    for name, expected in versions.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "none"
        if installed != expected:
            return f"has {name} {installed}, and this machine {expected}; install the same on both"
    return ""


def _claim_core(core: int) -> socket.socket | None:
    """A socket that reserves a core of this machine; None if another run has it.

    The core is reserved until this process, and all children that inherited the socket, have closed it.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0gan_jax-core-{core}")
    except OSError:
        claim.close()
        return None
    return claim


@contextlib.contextmanager
def _pinned(number: int) -> Iterator[list[int]]:
    """Pins this thread and its children to `number` cores, free cores first; yields file descriptors for the children.

    Ray counts cores but pins nothing. Without this, every run would have as many threads as the machine has cores.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield []
        return
    cores = sorted(os.sched_getaffinity(0))
    claims = {}
    for core in cores:
        if len(claims) < number and (claim := _claim_core(core)):
            claims[core] = claim
    busy_cores = [core for core in cores if core not in claims]
    # If there are more runs than cores, runs share cores, as on the local backend.
    shared = random.sample(busy_cores, min(number - len(claims), len(busy_cores)))
    os.sched_setaffinity(0, {*claims, *shared})
    try:
        yield [claim.fileno() for claim in claims.values()]
    finally:
        for claim in claims.values():
            claim.close()


class Worker:
    """Runs the process of one run. It is a Ray actor, so that it can be stopped while it runs."""

    def __init__(self):
        self._stop_requested = threading.Event()

    def location(self) -> tuple[str, int]:
        """(host name, process id)."""
        return socket.gethostname(), os.getpid()

    def stop(self) -> None:
        self._stop_requested.set()

    def run(
        self, checkout: str, folder: str, command: list[str], cores: int, compiled: str, settings: dict[str, str]
    ) -> tuple[int, list[str]]:
        """Runs `python -m` with `command` in `checkout`; returns (exit code, paths of the seeds' records).

        compiled: parent folder of the machines' caches of compiled programs.
        settings: environment variables.
        """
        os.chdir(checkout)
        run_folder = pathlib.Path(folder)
        if not run_folder.is_dir():
            raise FileNotFoundError(f"{socket.gethostname()} does not see {run_folder}")
        # If an earlier worker of this run died, its process may still be saving.
        if not (lock := acquire(run_folder / ".lock", self._stop_requested.is_set)):
            return STOPPED, []
        with lock, (run_folder / "log.txt").open("a") as log, _pinned(cores) as claims:
            process = subprocess.Popen(
                [sys.executable, "-m", "experiments.jobs.tethered", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_environment(compiled, settings),
                start_new_session=True,
                pass_fds=(lock.fileno(), *claims),
            )
            while process.poll() is None and not self._stop_requested.wait(_POLL_SECONDS):
                pass
            process.stdin.close()
            code = process.wait()
        folders = (run_folder, run_folder.parent)
        return code, [str(path) for parent in folders for path in parent.glob("seed-*.json")]


def _environment(compiled: str, settings: dict[str, str]) -> dict[str, str]:
    """The node's environment variables, overridden by `settings`.

    Every machine has its own cache of compiled programs, because these are machine code.
    """
    # Ray sets OMP_NUM_THREADS from its own count of cores. Without it, libraries count the cores of the pinned process.
    of_node = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return {"JAX_COMPILATION_CACHE_DIR": os.path.join(compiled, socket.gethostname())} | of_node | settings
