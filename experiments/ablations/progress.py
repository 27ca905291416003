"""What the terminal hears while the runs are at work."""

import time

from experiments.ablations import one_run
from experiments.ablations.plan import SCORES, Arm
from experiments.jobs.clock import Clock, written
from experiments.jobs.pool import Child

# Seconds of a base's generator update, and of what else there is to a seed, on two cores with nothing else to do.
_STEP = {"tutorial": 0.035, "tuned": 0.012, "cdcgan": 0.070}
_START, _COMPILE = 9.0, 3.0  # a process and its first compilation; what every seed compiles
_SCORE = 3e-4  # an image of a validation score
_EVALUATION, _EVALUATED = 4.0, 7e-4  # scoring one state at the end, and for each image of it


def model(arm: Arm, steps: int, seeds: int) -> float:
    """Seconds of one seed of an arm, of the `seeds` in its process; steps: those of the base, at equal images."""
    images = arm.config.eval
    scoring = SCORES * images.num_images * _SCORE + 2 * (_EVALUATION + images.at_end_num_images * _EVALUATED)
    return _START / seeds + _COMPILE + steps * _STEP.get(arm.base, max(_STEP.values())) + scoring


class Progress:
    """A line for each seed as it starts, with the time that is left, and one for each that fails."""

    def __init__(self, runs: dict[str, Arm], left: dict[str, list[int]], steps: int, jobs: int):
        """left: hash -> seeds that are to be trained; the runs that have none left count as done."""
        self._runs, self._left, self._jobs = runs, {name: list(seeds) for name, seeds in left.items()}, jobs
        self._position = {name: len(runs) - len(left) + index for index, name in enumerate(left, 1)}
        self._shown, self._since = {}, {}
        self.clock = Clock(
            {
                (name, seed): (runs[name].base, model(runs[name], steps, len(seeds)))
                for name, seeds in left.items()
                for seed in seeds
            }
        )

    def look(self, children: list[Child]) -> None:
        """Notes the seeds that have ended, and says which ones have begun."""
        for child in children:
            self._note(child, len(children))
            remaining = self._left[child.name]
            if remaining and self._shown.get(child.name) != remaining[0]:
                self._shown[child.name] = remaining[0]
                print(
                    f"arm {self._position[child.name]}/{len(self._runs)}  {self._runs[child.name].label}  "
                    f"seed {remaining[0]}  {written(self.clock.left())} left",
                    flush=True,
                )

    def _note(self, child: Child, at_work: int) -> None:
        """Takes the records that are new since the child began, in the order of the seeds."""
        remaining = self._left[child.name]
        while remaining and one_run.record_path(child.folder, remaining[0]).is_file():
            seed, now = remaining.pop(0), time.monotonic()
            self.clock.ended(child.name, seed, (now - self._since.get(child.name, child.began)) / at_work)
            self._since[child.name] = now
            record = one_run.read(child.folder, seed)
            if record["status"] != "completed":
                print(
                    f"  {self._runs[child.name].label} seed {seed} {record['status']}: {record['reason']}", flush=True
                )

    def unwritten(self, child: Child) -> list[int]:
        """The seeds of a child that has ended of which it left no record."""
        self._note(child, self._jobs)
        seeds = self._left[child.name]
        for seed in seeds:
            self.clock.dropped(child.name, seed)
        return seeds
