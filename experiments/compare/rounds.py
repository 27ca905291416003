"""The loop of a comparison: train the seeds of a round and look, until all arms are decided or the budget is spent."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

from experiments.ablations import one_run
from experiments.compare import sequential
from experiments.compare.prior import Prior
from experiments.compare.sequential import BASE, FIRST_SEEDS, UNDECIDED, ArmLook
from experiments.compare.workdir import Workdir, data_of
from experiments.jobs import records
from experiments.jobs.clock import format_duration
from experiments.jobs.pool import Backend, Child, run_all
from gan_jax.system.errors import Interrupted

_LINE_SECONDS = 60.0


class Budget(NamedTuple):
    """seconds: of the whole command, None without a limit; max_seeds: of one arm."""

    seconds: float | None
    max_seeds: int


class Rounds:
    """Trains and looks.

    prior: earlier records; extra: arguments of each run's process; stopping: whether a signal was received.
    """

    def __init__(
        self,
        workdir: Workdir,
        budget: Budget,
        prior: Prior,
        backend: Backend,
        extra: list[str],
        stopping: Callable[[], bool],
    ):
        self.workdir, self._budget, self.prior, self._backend = workdir, budget, prior, backend
        self._extra, self._stopping = extra, stopping
        self._start_time, self._last_line_time = time.monotonic(), time.monotonic()

    def run(self, after_look: Callable[[list[dict[str, ArmLook]]], None]) -> list[dict[str, ArmLook]]:
        """All looks. after_look: called with the looks so far after each one, to show it."""
        looks = self.workdir.looks()
        while True:
            undecided = self._undecided(looks)
            seeds = FIRST_SEEDS
            for _ in looks:
                seeds = sequential.more_seeds(seeds)
            if looks and (not undecided or seeds > self._budget.max_seeds):
                return looks
            missing = self._affordable(undecided, seeds, looks)
            if missing is None or not self._train(missing):
                return looks
            data, number = data_of(self.workdir.study(), self.workdir.rule.score), len(looks) + 1
            earlier = self.prior.fitting(data)
            looks.append(sequential.look(number, self.workdir.rule, data, looks[-1] if looks else {}, earlier))
            self.workdir.write_looks(looks)
            after_look(looks)

    def _undecided(self, looks: list[dict[str, ArmLook]]) -> list[str]:
        names = [arm.name for arm in self.workdir.arms if arm.name != BASE]
        return [name for name in names if not looks or looks[-1][name].verdict == UNDECIDED]

    def _missing(self, undecided: list[str], seeds: int, cost_ratio: float) -> dict[str, list[int]]:
        """Name of an arm -> the seeds to train for the next look, the base first."""
        wanted, missing = sequential.wanted_seeds(seeds, undecided, cost_ratio), {}
        for arm in self.workdir.arms:
            done = set(self.workdir.seeds_with_record(arm))
            if more := [seed for seed in range(wanted.get(arm.name, 0)) if seed not in done]:
                missing[arm.name] = more
        return missing

    def _seconds_of_runs(self) -> dict[str, float]:
        """Arm -> the mean time of its runs so far, on the backend's share of the machine. It reads all records."""
        times = {
            name: [run.seconds for run in arm.runs.values() if run.seconds]
            for name, arm in self.workdir.study().arms.items()
        }
        return {name: sum(seconds) / len(seconds) for name, seconds in times.items() if seconds}

    def _seconds_of(self, missing: dict[str, list[int]], of_run: dict[str, float]) -> float | None:
        """The time of these runs, from the mean times of the runs so far; None without any."""
        if not of_run:
            return None
        mean = sum(of_run.values()) / len(of_run)
        return sum(of_run.get(name, mean) * len(seeds) for name, seeds in missing.items()) / self._backend.jobs

    def _affordable(self, undecided: list[str], seeds: int, looks: list[dict[str, ArmLook]]) -> dict | None:
        """The runs of the next look that the budget has time for; None if it has none. The first look always has.

        If there is no time for all arms, those whose verdict would probably take longest wait.
        """
        of_run = self._seconds_of_runs()

        def seconds_to_decide(name: str) -> float:
            """About how long the arm's own runs take until it is decided; a guess that orders the arms."""
            if not looks:
                return 0.0
            needed = sequential.seeds_to_decide(self.workdir.rule, len(looks), looks[-1][name])
            return max(needed, seeds) * of_run.get(name, 0.0)

        names = sorted(undecided, key=seconds_to_decide)
        while names:
            missing = self._missing(names, seeds, _cost_ratio(names, of_run))
            needed = self._seconds_of(missing, of_run)
            left = math.inf if self._budget.seconds is None else self._budget.seconds - self._seconds()
            if not looks or needed is None or needed <= left:
                return missing
            names.pop()
        return None

    def _seconds(self) -> float:
        return time.monotonic() - self._start_time

    def _train(self, missing: dict[str, list[int]]) -> bool:
        """Trains the missing seeds; whether all of them have a record at the end."""
        by_name = {arm.name: arm for arm in self.workdir.arms}
        total, names = sum(map(len, missing.values())), {by_name[name].hash: name for name in missing}
        print(
            f"{total} runs for the next look: " + ", ".join(f"{n} x {len(s)}" for n, s in missing.items()), flush=True
        )
        waiting = {}
        for name, seeds in missing.items():
            records.write_config(self.workdir.runs / by_name[name].hash, by_name[name].config)
            waiting[by_name[name].hash] = ["--seeds", ",".join(map(str, seeds)), *self._extra]

        def poll(children: list[Child]) -> None:
            if time.monotonic() - self._last_line_time < _LINE_SECONDS:
                return
            remaining = self._remaining(missing)
            self._last_line_time, seconds = time.monotonic(), self._seconds_of(remaining, self._seconds_of_runs())
            working = ", ".join(names[child.name] for child in children)
            time_left = "measuring the pace" if seconds is None else format_duration(seconds)
            done = total - sum(map(len, remaining.values()))
            print(f"{done} of {total} runs done, {time_left} left for this look; at work: {working}", flush=True)

        def ended(child: Child, code: int) -> None:
            if code in (0, Interrupted.exit_code) or self._stopping():
                return
            one_run.write_crashed(child, code, self._remaining(missing)[names[child.name]])

        run_all(one_run.__name__, waiting, self.workdir.runs, self._backend, poll, ended, self._stopping)
        return not any(self._remaining(missing).values())

    def _remaining(self, missing: dict[str, list[int]]) -> dict[str, list[int]]:
        by_name = {arm.name: arm for arm in self.workdir.arms}
        done = {name: set(self.workdir.seeds_with_record(by_name[name])) for name in missing}
        return {name: [seed for seed in seeds if seed not in done[name]] for name, seeds in missing.items()}


def _cost_ratio(names: list[str], of_run: dict[str, float]) -> float:
    """Mean time of a run of these arms over that of the base; 1 before the first look."""
    known = [of_run[name] for name in names if name in of_run]
    return sum(known) / len(known) / of_run[BASE] if known and BASE in of_run else 1.0
