"""The loop of a comparison: train the seeds of a round and look, until all arms are decided or the budget is spent."""

import math
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from experiments.ablations import one_run
from experiments.compare import sequential
from experiments.compare.prior import Prior
from experiments.compare.sequential import BASE, FIRST_SEEDS, UNDECIDED, ArmLook
from experiments.compare.workdir import Workdir, data_of
from experiments.jobs import records
from experiments.jobs.clock import format_duration
from experiments.jobs.pool import Backend, Child, run_all
from gan_jax.runs.workdir import Workdir as RunWorkdir
from gan_jax.system.errors import Interrupted

_LINE_SECONDS = 60.0


class Budget(NamedTuple):
    """seconds: of the whole command, None without a limit; max_seeds: of one arm."""

    seconds: float | None
    max_seeds: int


class Rounds:
    """Trains and looks. extra: arguments of each run's process; stopping: whether a signal was received."""

    def __init__(
        self,
        workdir: Workdir,
        budget: Budget,
        prior: Prior,
        backend: Backend,
        extra: list[str],
        stopping: Callable[[], bool],
    ):
        self._workdir, self._budget, self._prior, self._backend = workdir, budget, prior, backend
        self._extra, self._stopping = extra, stopping
        self._start_time, self._last_line_time = time.monotonic(), time.monotonic()

    def run(self, after_look: Callable[[list[dict[str, ArmLook]]], None]) -> list[dict[str, ArmLook]]:
        """All looks. after_look: called with the looks so far after each one, to show it."""
        looks = self._workdir.looks()
        while True:
            undecided = self._undecided(looks)
            seeds = FIRST_SEEDS
            for _ in looks:
                seeds = sequential.more_seeds(seeds)
            if looks and (not undecided or seeds > self._budget.max_seeds):
                return looks
            missing = self._affordable(undecided, seeds, looks[-1] if looks else {})
            if missing is None or not self._train(missing):
                return looks
            data, number = data_of(self._workdir.study(), self._workdir.rule.score), len(looks) + 1
            earlier = self._prior.fitting(data)
            looks.append(sequential.look(number, self._workdir.rule, data, looks[-1] if looks else {}, earlier))
            self._workdir.write_looks(looks)
            after_look(looks)

    def _undecided(self, looks: list[dict[str, ArmLook]]) -> list[str]:
        names = [arm.name for arm in self._workdir.arms if arm.name != BASE]
        return [name for name in names if not looks or looks[-1][name].verdict == UNDECIDED]

    def _missing(self, undecided: list[str], seeds: int) -> dict[str, list[int]]:
        """Name of an arm -> the seeds to train for the next look, the base first."""
        wanted, missing = sequential.wanted_seeds(seeds, undecided, self._cost_ratio(undecided)), {}
        for arm in self._workdir.arms:
            done = set(self._workdir.seeds_with_record(arm))
            if more := [seed for seed in range(wanted.get(arm.name, 0)) if seed not in done]:
                missing[arm.name] = more
        return missing

    def _seconds_of_runs(self) -> dict[str, float]:
        """Arm -> the mean time of its runs so far, on the backend's share of the machine."""
        times = {
            name: [run.seconds for run in arm.runs.values() if run.seconds]
            for name, arm in self._workdir.study().arms.items()
        }
        return {name: sum(seconds) / len(seconds) for name, seconds in times.items() if seconds}

    def _cost_ratio(self, names: list[str]) -> float:
        """Mean time of a run of these arms over that of the base; 1 before the first look."""
        seconds = self._seconds_of_runs()
        known = [seconds[name] for name in names if name in seconds]
        return sum(known) / len(known) / seconds[BASE] if known and BASE in seconds else 1.0

    def _seconds_of(self, missing: dict[str, list[int]]) -> float | None:
        """The time of these runs; None before the first run has ended."""
        seconds = self._seconds_of_runs()
        if not seconds:
            return None
        mean = sum(seconds.values()) / len(seconds)
        return sum(seconds.get(name, mean) * len(seeds) for name, seeds in missing.items()) / self._backend.jobs

    def _affordable(self, undecided: list[str], seeds: int, last: Mapping[str, ArmLook]) -> dict[str, list[int]] | None:
        """The runs of the next look that the budget has time for; None if it has none. The first look always has.

        If there is no time for all arms, those whose verdict would probably take longest wait.
        """
        names = sorted(undecided, key=lambda name: self._seconds_to_decide(name, last, seeds))
        while names:
            missing = self._missing(names, seeds)
            needed = self._seconds_of(missing)
            left = math.inf if self._budget.seconds is None else self._budget.seconds - self._seconds()
            if not last or needed is None or needed <= left:
                return missing
            names.pop()
        return None

    def _seconds_to_decide(self, name: str, last: Mapping[str, ArmLook], seeds: int) -> float:
        """About how long an arm's own runs take until it is decided; a guess that orders the arms."""
        if name not in last:
            return 0.0
        needed = sequential.seeds_to_decide(self._workdir.rule, len(self._workdir.looks()), last[name])
        return max(needed, seeds) * self._seconds_of_runs().get(name, 0.0)

    def _seconds(self) -> float:
        return time.monotonic() - self._start_time

    def _train(self, missing: dict[str, list[int]]) -> bool:
        """Trains the missing seeds; whether all of them have a record at the end."""
        by_name = {arm.name: arm for arm in self._workdir.arms}
        total, names = sum(map(len, missing.values())), {by_name[name].hash: name for name in missing}
        print(
            f"{total} runs for the next look: " + ", ".join(f"{n} x {len(s)}" for n, s in missing.items()), flush=True
        )
        waiting = {}
        for name, seeds in missing.items():
            records.write_config(self._workdir.runs / by_name[name].hash, by_name[name].config)
            waiting[by_name[name].hash] = ["--seeds", ",".join(map(str, seeds)), *self._extra]

        def left() -> int:
            return sum(map(len, self._remaining(missing).values()))

        def poll(children: list[Child]) -> None:
            if time.monotonic() - self._last_line_time < _LINE_SECONDS:
                return
            self._last_line_time, seconds = time.monotonic(), self._seconds_of(self._remaining(missing))
            working = ", ".join(names[child.name] for child in children)
            time_left = "measuring the pace" if seconds is None else format_duration(seconds)
            print(
                f"{total - left()} of {total} runs done, {time_left} left for this look; at work: {working}", flush=True
            )

        def ended(child: Child, code: int) -> None:
            if code in (0, Interrupted.exit_code) or self._stopping():
                return
            for seed in self._remaining(missing)[names[child.name]]:
                reason = f"its process ended with exit code {code}: {child.last_line()}"
                run = RunWorkdir(str(child.folder / f"seed-{seed}"))
                one_run.write(child.folder, seed, one_run.crashed(reason, run))

        run_all(one_run.__name__, waiting, self._workdir.runs, self._backend, poll, ended, self._stopping)
        return left() == 0

    def _remaining(self, missing: dict[str, list[int]]) -> dict[str, list[int]]:
        by_name = {arm.name: arm for arm in self._workdir.arms}
        done = {name: set(self._workdir.seeds_with_record(by_name[name])) for name in missing}
        return {name: [seed for seed in seeds if seed not in done[name]] for name, seeds in missing.items()}
