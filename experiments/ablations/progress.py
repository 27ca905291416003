"""Progress of the runs, printed to the terminal."""

import time

from experiments.ablations import one_run
from experiments.ablations.plan import SCORES, Arm
from experiments.jobs.clock import Clock, format_duration
from experiments.jobs.pool import Child

# Seconds of a base's generator update, and of the other parts of a seed, on two idle cores.
_STEP = {"tutorial": 0.035, "tuned": 0.012, "cdcgan": 0.070}
_START, _COMPILE = 9.0, 3.0  # per process, with its first compilation; compilation per seed
_SCORE = 3e-4  # per image of a validation score
_EVALUATION, _EVALUATED = 4.0, 7e-4  # per state that is scored at the end; per image of this score


def model(arm: Arm, steps: int, seeds: int) -> float:
    """Seconds of one seed of an arm. steps: of the base, at equal images; seeds: their number in the same process."""
    images = arm.config.eval
    scoring = SCORES * images.num_images * _SCORE + 2 * (_EVALUATION + images.at_end_num_images * _EVALUATED)
    return _START / seeds + _COMPILE + steps * _STEP.get(arm.base, max(_STEP.values())) + scoring


class Progress:
    """Prints a line when a seed starts, with the remaining time, and a line when a seed fails."""

    def __init__(self, runs: dict[str, Arm], missing: dict[str, list[int]], steps: int, jobs: int):
        """missing: hash -> the seeds to train; all other runs count as done."""
        self._runs, self._missing, self._jobs = runs, {name: list(seeds) for name, seeds in missing.items()}, jobs
        self._position = {name: len(runs) - len(missing) + index for index, name in enumerate(missing, 1)}
        self._shown, self._seed_start = {}, {}
        self.clock = Clock(
            {
                (name, seed): (runs[name].base, model(runs[name], steps, len(seeds)))
                for name, seeds in missing.items()
                for seed in seeds
            }
        )

    def poll(self, children: list[Child]) -> None:
        """Counts the seeds that have ended, and prints those that have started."""
        for child in children:
            self._count_ended(child, len(children))
            remaining = self._missing[child.name]
            if remaining and self._shown.get(child.name) != remaining[0]:
                self._shown[child.name] = remaining[0]
                print(
                    f"arm {self._position[child.name]}/{len(self._runs)}  {self._runs[child.name].label}  "
                    f"seed {remaining[0]}  {format_duration(self.clock.seconds_left())} left",
                    flush=True,
                )

    def _count_ended(self, child: Child, at_work: int) -> None:
        """Reads the records that the child has written since the last call, in the order of the seeds."""
        remaining = self._missing[child.name]
        while remaining and one_run.record_path(child.folder, remaining[0]).is_file():
            seed, now = remaining.pop(0), time.monotonic()
            seconds = now - self._seed_start.get(child.name, child.start_time)
            self.clock.ended(child.name, seed, seconds / at_work)
            self._seed_start[child.name] = now
            record = one_run.read(child.folder, seed)
            if record["status"] != "completed":
                print(
                    f"  {self._runs[child.name].label} seed {seed} {record['status']}: {record['reason']}", flush=True
                )

    def unwritten(self, child: Child) -> list[int]:
        """The seeds without a record of a child that has ended."""
        self._count_ended(child, self._jobs)
        seeds = self._missing[child.name]
        for seed in seeds:
            self.clock.dropped(child.name, seed)
        return seeds
