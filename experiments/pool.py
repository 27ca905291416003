"""Runs in processes of their own, so many at a time, each with its share of the cores."""

import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from gan_jax.errors import DataUnavailable, UserError

_LOOK_SECONDS = 0.2


class Child:
    """A process over one run: python -m `module` FOLDER words, which leaves FOLDER/seed-<s>.json for each seed."""

    def __init__(self, name: str, module: str, words: list[str], folder: pathlib.Path, environment: dict, lock: int):
        self.name, self.folder, self.began = name, folder, time.monotonic()
        with (folder / "log.txt").open("a") as log:
            # Out of the terminal's reach: its Ctrl-C goes to the runner, which tells every child once.
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(folder), *words],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                pass_fds=(lock,),
            )

    def code(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.poll()

    def has_written(self, seed: int) -> bool:
        """Whether a seed has its record."""
        return (self.folder / f"seed-{seed}.json").is_file()

    def last_line(self) -> str:
        lines = (self.folder / "log.txt").read_text(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("error: ") if lines else ""

    def stop(self) -> None:
        """Asks it to save and end: by the signal while it trains or scores, by the closed pipe in between."""
        self.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        self._process.stdin.close()

    def wait(self) -> None:
        self._process.wait()

    def kill(self) -> None:
        self.close()
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[int]:
    """The only runner in a workdir; the children hold the lock too, should the runner be killed."""
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"--workdir={workdir} is in use by another process of this command; wait for it") from None
        yield file.fileno()


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


def _environment(workdir: pathlib.Path, jobs: int) -> dict:
    """Compiled programs are shared by seeds and arms; jobs on one GPU do not each take all of its memory."""
    usual = {"JAX_COMPILATION_CACHE_DIR": str(workdir / ".cache"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3"}
    if jobs > 1:
        usual["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    return usual | os.environ


def run_all(
    module: str,
    waiting: dict[str, list[str]],
    workdir: pathlib.Path,
    jobs: int,
    look: Callable[[list[Child]], None],
    ended: Callable[[Child, int], None],
    stopping: Callable[[], bool],
) -> None:
    """Runs `module` for each of `waiting`, folder in `workdir` -> words, `jobs` at a time, until done or `stopping`.

    look: hears often of the children at work; ended: of each that has ended, with its exit code.
    """
    # With fewer runs than jobs no core is left idle.
    free, waiting, busy = list(enumerate(shares(min(jobs, len(waiting)) or 1))), dict(waiting), {}
    environment = _environment(workdir, jobs)
    with locked(workdir) as lock:
        try:
            while (waiting or busy) and not stopping():
                while free and waiting:
                    slot, cores = free.pop(0)
                    name = next(iter(waiting))
                    with _pinned(cores):
                        child = Child(name, module, waiting.pop(name), workdir / name, environment, lock)
                    busy[slot] = (child, cores)
                time.sleep(_LOOK_SECONDS)
                look([child for child, _ in busy.values()])
                for slot, (child, cores) in list(busy.items()):
                    if (code := child.code()) is not None:
                        del busy[slot]
                        free.append((slot, cores))
                        child.close()
                        _check(child, code)
                        ended(child, code)
            _each(busy, Child.stop)
            _each(busy, Child.wait)
        except BaseException:
            _each(busy, Child.kill)
            raise


def _each(busy: dict, act: Callable[[Child], None]) -> None:
    for child, _ in busy.values():
        act(child)


def _check(child: Child, code: int) -> None:
    """DataUnavailable ends them all: no other run has the data either."""
    if code == DataUnavailable.exit_code:
        raise DataUnavailable(child.last_line())
