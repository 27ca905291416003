"""One trial: a training in a process of its own, whose validation scores are read while it runs."""

import pathlib
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from ml_collections import ConfigDict

from experiments.jobs.locks import acquire, lock_descriptors
from experiments.jobs.pool import last_line
from gan_jax.runs import best, seeds
from gan_jax.runs.records import read_metrics
from gan_jax.runs.workdir import Workdir
from gan_jax.system.errors import DataUnavailable, Interrupted, TrainingFailed, UserError

ACCURACY = "validation_conditional_accuracy"
COMMAND = (sys.executable, "-m", "gan_jax.main")
_POLL_SECONDS = 0.5
_STOPPED = "stopped; the same command continues"


class Outcome(NamedTuple):
    """end: completed, pruned, collapsed, diverged or refused; scores: step -> best.METRIC, a mean over the seeds."""

    end: str
    scores: dict[int, float]
    accuracy: float | None
    seconds: float
    reason: str = ""


def scores(config: ConfigDict, folder: pathlib.Path, name: str = best.METRIC) -> dict[int, float]:
    """step -> a validation score, the mean over the seeds, of the steps at which every seed has one."""
    every = []
    for workdir in seeds.seed_workdirs(seeds.seeds_of(config), Workdir(str(folder))):
        every.append(best.scores(read_metrics(workdir.metrics), name))
    common = sorted(set.intersection(*map(set, every)))
    return {step: statistics.fmean(own[step] for own in every) for step in common}


def _end(code: int, pruned: bool, reason: str) -> str:
    """What an exit code means; raises what ends the whole search."""
    if pruned:
        return "pruned"
    if code == DataUnavailable.exit_code:
        raise DataUnavailable(reason)
    names = {0: "completed", UserError.exit_code: "refused", TrainingFailed.exit_code: "failed"}
    return names.get(code, "crashed")


def run(
    words: list[str],
    config: ConfigDict,
    folder: pathlib.Path,
    report: Callable[[int, float], bool],
    stopping: Callable[[], bool],
) -> Outcome:
    """Trains with `words`, the arguments of gan_jax.main; what lies in `folder` is continued.

    report(step, score): hears every score once, and says whether to go on. stopping: whether the user wants an end;
    then the training saves, and Interrupted is raised.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    log, told, pruned, began = folder.with_suffix(".txt"), set(), False, time.monotonic()
    # Another search over the same workdir may train the same values, or one that was killed has left its training.
    if not (lock := acquire(folder.with_suffix(".lock"), stopping)):
        raise Interrupted(_STOPPED)
    with lock, log.open("a") as output:
        process = subprocess.Popen(
            [*COMMAND, f"--workdir={folder}", *words],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            # Out of the terminal's reach: its Ctrl-C comes to us, and we tell it once.
            start_new_session=True,
            pass_fds=lock_descriptors(lock),
        )
    try:
        while not pruned:
            # Whether it runs is asked before its rows are read: none of the last ones is missed.
            running = process.poll() is None
            for step, score in scores(config, folder).items():
                if step not in told:
                    told.add(step)
                    pruned = pruned or not report(step, score)
            if not running or stopping():
                break
            time.sleep(_POLL_SECONDS)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        code = process.wait()
    if not pruned and (code == Interrupted.exit_code or (code < 0 and stopping())):
        raise Interrupted(_STOPPED if stopping() else last_line(log))
    reason = "" if code == 0 or pruned else last_line(log)
    accuracy = list(scores(config, folder, ACCURACY).values())
    return Outcome(
        _end(code, pruned, reason),
        scores(config, folder),
        accuracy[-1] if accuracy else None,
        time.monotonic() - began,
        reason,
    )
