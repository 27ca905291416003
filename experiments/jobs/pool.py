"""Runs every job in its own process, several at a time, on this machine or on a Ray cluster."""

import abc
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from experiments.jobs.locks import acquire
from gan_jax.system import parts
from gan_jax.system.errors import DataUnavailable, UserError

_POLL_SECONDS = 0.2


def last_line(log: pathlib.Path) -> str:
    """The last line of a process's log; for an error, the reason."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("error: ") if lines else ""


class Child(abc.ABC):
    """A running job. Its output goes to FOLDER/log.txt."""

    def __init__(self, name: str, folder: pathlib.Path):
        self.name, self.folder, self.start_time = name, folder, time.monotonic()

    def last_line(self) -> str:
        return last_line(self.folder / "log.txt")

    def working(self) -> bool:
        """Whether the job has started. `start_time` is right only after that."""
        return True

    @abc.abstractmethod
    def code(self) -> int | None:
        """The exit code; None until the job has ended."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Asks the job to save and end."""

    @abc.abstractmethod
    def wait(self) -> None:
        """Waits until a job that was asked to stop has ended."""

    @abc.abstractmethod
    def kill(self) -> None:
        """Ends the job at once."""

    @abc.abstractmethod
    def close(self) -> None:
        """Releases the job's resources after its end."""


class Backend(Protocol):
    """Starts the jobs, `jobs` at a time."""

    jobs: int

    def open(self, workdir: pathlib.Path, runs: int, lock: int) -> None:
        """Prepares for this number of runs. lock: file descriptor of the workdir's lock, which children inherit."""

    def start(self, name: str, folder: pathlib.Path, command: list[str]) -> Child:
        """Starts `python -m` with `command`; the log goes to `folder`."""


class _Process(Child):
    """A process on this machine."""

    def __init__(
        self,
        name: str,
        folder: pathlib.Path,
        command: list[str],
        environment: dict,
        lock: int,
        on_close: Callable[[], None],
    ):
        super().__init__(name, folder)
        self._on_close = on_close
        with (folder / "log.txt").open("a") as log:
            # A new session, so that the terminal's Ctrl-C only reaches the runner, which stops every child once.
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                pass_fds=(lock,),
            )

    def code(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        """By the signal while the process trains or scores, by the closed pipe at other times."""
        self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        self._process.wait()

    def kill(self) -> None:
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self._process.stdin.close()
        self._on_close()


class Processes:
    """The local backend: each process gets a share of this machine's cores."""

    def __init__(self, jobs: int):
        self.jobs = jobs

    def open(self, workdir: pathlib.Path, runs: int, lock: int) -> None:
        # If there are fewer runs than jobs, the runs share all cores.
        self._free, self._lock = shares(min(self.jobs, runs) or 1), lock
        self._environment = settings(self.jobs) | {"JAX_COMPILATION_CACHE_DIR": str(workdir / ".cache")} | os.environ
        self._environment |= parts.environment()

    def start(self, name: str, folder: pathlib.Path, command: list[str]) -> Child:
        cores = self._free.pop(0)
        with _pinned(cores):
            return _Process(name, folder, command, self._environment, self._lock, lambda: self._free.append(cores))


def shares(jobs: int) -> list[set[int]]:
    """The cores of each of `jobs` processes; [set()] * jobs if the system cannot pin processes to cores."""
    if not hasattr(os, "sched_getaffinity"):
        return [set()] * jobs
    cores = sorted(os.sched_getaffinity(0))
    if jobs >= len(cores):
        return [{cores[job % len(cores)]} for job in range(jobs)]
    return [set(cores[job * len(cores) // jobs : (job + 1) * len(cores) // jobs]) for job in range(jobs)]


@contextlib.contextmanager
def _pinned(cores: set[int]):
    """A process that is started inside the block is pinned to these cores before any library counts them."""
    if not cores:
        yield
        return
    previous = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, previous)


def settings(jobs: int) -> dict[str, str]:
    """Environment variables: compiled programs are cached for other seeds, and jobs on one GPU share its memory."""
    caching = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3"}
    return caching | ({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} if jobs > 1 else {})


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[int]:
    """Locks a workdir for this runner. Children inherit the lock, so a killed runner's children keep it."""
    workdir.mkdir(parents=True, exist_ok=True)
    if not (file := acquire(workdir / ".lock", lambda: True)):
        raise UserError(f"--workdir={workdir} is in use by another process of this command; wait for it")
    with file:
        yield file.fileno()


def run_all(
    module: str,
    waiting: dict[str, list[str]],
    workdir: pathlib.Path,
    backend: Backend,
    poll: Callable[[list[Child]], None],
    ended: Callable[[Child, int], None],
    stopping: Callable[[], bool],
) -> None:
    """Runs `module` for every folder of `waiting`, until all have ended or `stopping` is true.

    waiting: folder inside `workdir` -> further arguments of the module.
    poll: called often, with the children at work.
    ended: called for every child that has ended, with its exit code.
    """
    waiting, busy = dict(waiting), []
    with locked(workdir) as lock:
        backend.open(workdir, len(waiting), lock)
        try:
            while (waiting or busy) and not stopping():
                while waiting and len(busy) < backend.jobs:
                    name = next(iter(waiting))
                    folder = workdir / name
                    busy.append(backend.start(name, folder, [module, str(folder), *waiting.pop(name)]))
                time.sleep(_POLL_SECONDS)
                poll([child for child in busy if child.working()])
                for child in list(busy):
                    if (code := child.code()) is not None:
                        busy.remove(child)
                        child.close()
                        _check(child, code)
                        ended(child, code)
            for child in busy:
                child.stop()
            for child in busy:
                child.wait()
        except BaseException:
            for child in busy:
                child.kill()
            raise


def _check(child: Child, code: int) -> None:
    """Raises DataUnavailable if a child had no data: the other runs have no data either."""
    if code == DataUnavailable.exit_code:
        raise DataUnavailable(child.last_line())
