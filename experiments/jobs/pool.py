"""Runs in processes of their own, so many at a time: on this machine, or on a Ray cluster's."""

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
from gan_jax.system.errors import DataUnavailable, UserError

_LOOK_SECONDS = 0.2


def last_line(log: pathlib.Path) -> str:
    """What a process said last, of an error its reason."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("error: ") if lines else ""


class Child(abc.ABC):
    """A run at work, which leaves what it said in FOLDER/log.txt."""

    def __init__(self, name: str, folder: pathlib.Path):
        self.name, self.folder, self.began = name, folder, time.monotonic()

    def last_line(self) -> str:
        return last_line(self.folder / "log.txt")

    def working(self) -> bool:
        """Whether it has begun: `began` is right from then on."""
        return True

    @abc.abstractmethod
    def code(self) -> int | None:
        """The exit code, None until it has ended."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Asks it to save and end."""

    @abc.abstractmethod
    def wait(self) -> None:
        """Until one that was asked to stop has ended."""

    @abc.abstractmethod
    def kill(self) -> None:
        """Ends it at once."""

    @abc.abstractmethod
    def close(self) -> None:
        """After its end: lets go of what it held."""


class Backend(Protocol):
    """Where children run, `jobs` at a time."""

    jobs: int

    def open(self, workdir: pathlib.Path, runs: int, lock: int) -> None:
        """Before the first of so many runs. lock: the workdir's, for children to inherit."""

    def start(self, name: str, folder: pathlib.Path, words: list[str]) -> Child:
        """python -m words, over `folder`."""


class _Process(Child):
    """A process of this machine."""

    def __init__(
        self,
        name: str,
        folder: pathlib.Path,
        words: list[str],
        environment: dict,
        lock: int,
        closed: Callable[[], None],
    ):
        super().__init__(name, folder)
        self._closed = closed
        with (folder / "log.txt").open("a") as log:
            # Out of the terminal's reach: its Ctrl-C goes to the runner, which tells every child once.
            self._process = subprocess.Popen(
                [sys.executable, "-m", *words],
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
        """By the signal while it trains or scores, by the closed pipe in between."""
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
        self._closed()


class Processes:
    """The backend of this machine: each process has its share of the cores."""

    def __init__(self, jobs: int):
        self.jobs = jobs

    def open(self, workdir: pathlib.Path, runs: int, lock: int) -> None:
        # With fewer runs than jobs no core is left idle.
        self._free, self._lock = shares(min(self.jobs, runs) or 1), lock
        self._environment = settings(self.jobs) | {"JAX_COMPILATION_CACHE_DIR": str(workdir / ".cache")} | os.environ

    def start(self, name: str, folder: pathlib.Path, words: list[str]) -> Child:
        cores = self._free.pop(0)
        with _pinned(cores):
            return _Process(name, folder, words, self._environment, self._lock, lambda: self._free.append(cores))


def shares(jobs: int) -> list[set[int]]:
    """The cores of each of `jobs` processes; [set()] * jobs where a system cannot pin."""
    if not hasattr(os, "sched_getaffinity"):
        return [set()] * jobs
    cores = sorted(os.sched_getaffinity(0))
    if jobs >= len(cores):
        return [{cores[job % len(cores)]} for job in range(jobs)]
    return [set(cores[job * len(cores) // jobs : (job + 1) * len(cores) // jobs]) for job in range(jobs)]


@contextlib.contextmanager
def _pinned(cores: set[int]):
    """What is started inside inherits these cores from its first instruction on, before any library counts them."""
    if not cores:
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def settings(jobs: int) -> dict[str, str]:
    """Of the environment: compiled programs are kept for other seeds; jobs on one GPU share its memory."""
    usual = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3"}
    return usual | ({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} if jobs > 1 else {})


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[int]:
    """The only runner in a workdir; the children hold the lock too, should the runner be killed."""
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
    look: Callable[[list[Child]], None],
    ended: Callable[[Child, int], None],
    stopping: Callable[[], bool],
) -> None:
    """Runs `module` for each of `waiting`, folder in `workdir` -> words, by a backend, until done or `stopping`.

    look: hears often of the children at work; ended: of each that has ended, with its exit code.
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
                time.sleep(_LOOK_SECONDS)
                look([child for child in busy if child.working()])
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
    """DataUnavailable ends them all: no other run has the data either."""
    if code == DataUnavailable.exit_code:
        raise DataUnavailable(child.last_line())
