"""The machine of a benchmark: its processor, its load, and the cores of a process's threads."""

import os
import pathlib
import platform

from gan_jax.system.errors import UserError

QUIET_LOAD = 0.5  # With a higher load average, something else computes here, and threads wait for it.


def cpu_model() -> str:
    """The processor's name, or if it is unknown its architecture."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def load_average() -> float:
    """Processes that ran or waited in the last minute, on average; 0 if the system does not count them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def check_quiet(any_load: bool) -> None:
    """UserError if something else computes on this machine, unless any load is allowed."""
    load = load_average()
    if load > QUIET_LOAD and not any_load:
        raise UserError(
            f"the load average is {load:.1f}, above {QUIET_LOAD}: something else computes here, and times would mean "
            "little; wait for a quiet machine, or add --any-load (the page then says so)"
        )


def pin_threads(prefix: str) -> int:
    """Pins the threads of this process whose names begin with `prefix`, each to its own core; returns their number.

    0 if the system has no such threads or cannot pin them.
    """
    tasks = pathlib.Path("/proc/self/task")
    if not tasks.is_dir():
        return 0
    threads = sorted(int(task.name) for task in tasks.iterdir() if (task / "comm").read_text().startswith(prefix))
    cores = sorted(os.sched_getaffinity(0))
    for index, thread in enumerate(threads):
        os.sched_setaffinity(thread, {cores[index % len(cores)]})
    return len(threads)
