"""The loop of a comparison: train the seeds of a round and look, until all arms are decided or the budget is spent."""

import time
from collections.abc import Callable
from typing import NamedTuple

from experiments.ablations import one_run
from experiments.compare import sequential
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
        self, workdir: Workdir, budget: Budget, backend: Backend, extra: list[str], stopping: Callable[[], bool]
    ):
        self._workdir, self._budget, self._backend = workdir, budget, backend
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
            missing = self._missing(undecided, seeds)
            if not self._fits(missing) or not self._train(missing):
                return looks
            data = data_of(self._workdir.study(), self._workdir.rule.score)
            looks.append(sequential.look(len(looks) + 1, self._workdir.rule, data, looks[-1] if looks else {}))
            self._workdir.write_looks(looks)
            after_look(looks)

    def _undecided(self, looks: list[dict[str, ArmLook]]) -> list[str]:
        names = [arm.name for arm in self._workdir.arms if arm.name != BASE]
        return [name for name in names if not looks or looks[-1][name].verdict == UNDECIDED]

    def _missing(self, undecided: list[str], seeds: int) -> dict[str, list[int]]:
        """Name of an arm -> the seeds to train for the next look, the base first."""
        wanted, missing = sequential.wanted_seeds(seeds, undecided), {}
        for arm in self._workdir.arms:
            done = set(self._workdir.seeds_with_record(arm))
            if more := [seed for seed in range(wanted.get(arm.name, 0)) if seed not in done]:
                missing[arm.name] = more
        return missing

    def _seconds_of_a_run(self) -> float | None:
        """The mean time of the runs so far, on the backend's share of the machine; None before the first."""
        runs = [run for arm in self._workdir.study().arms.values() for run in arm.runs.values() if run.seconds]
        return sum(run.seconds for run in runs) / len(runs) if runs else None

    def _fits(self, missing: dict[str, list[int]]) -> bool:
        """Whether the budget has time for these runs. The first round always has."""
        seconds = self._seconds_of_a_run()
        if self._budget.seconds is None or seconds is None:
            return True
        needed = seconds * sum(map(len, missing.values())) / self._backend.jobs
        return time.monotonic() - self._start_time + needed <= self._budget.seconds

    def _train(self, missing: dict[str, list[int]]) -> bool:
        """Trains the missing seeds; whether all of them have a record at the end."""
        by_name = {arm.name: arm for arm in self._workdir.arms}
        total, names = sum(map(len, missing.values())), {by_name[name].hash: name for name in missing}
        print(
            f"{total} runs for the next look: " + ", ".join(f"{n} x {len(s)}" for n, s in missing.items()), flush=True
        )
        waiting = {}
        for name, seeds in missing.items():
            records.write_config(self._workdir.path / by_name[name].hash, by_name[name].config)
            waiting[by_name[name].hash] = ["--seeds", ",".join(map(str, seeds)), *self._extra]

        def left() -> int:
            return sum(map(len, self._remaining(missing).values()))

        def poll(children: list[Child]) -> None:
            if time.monotonic() - self._last_line_time < _LINE_SECONDS:
                return
            self._last_line_time, seconds = time.monotonic(), self._seconds_of_a_run()
            working = ", ".join(names[child.name] for child in children)
            time_left = (
                "measuring the pace" if seconds is None else format_duration(seconds * left() / self._backend.jobs)
            )
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

        run_all(one_run.__name__, waiting, self._workdir.path, self._backend, poll, ended, self._stopping)
        return left() == 0

    def _remaining(self, missing: dict[str, list[int]]) -> dict[str, list[int]]:
        by_name = {arm.name: arm for arm in self._workdir.arms}
        done = {name: set(self._workdir.seeds_with_record(by_name[name])) for name in missing}
        return {name: [seed for seed in seeds if seed not in done[name]] for name, seeds in missing.items()}
