"""How long the runs will take: a rough model at first, then corrected by what seeds of the same base took."""

from collections import defaultdict

from experiments.ablations.plan import SCORES, Arm

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


class Clock:
    """The seconds that are left of planned seeds."""

    def __init__(self, planned: dict[tuple[str, int], tuple[str, float]]):
        """planned: (hash, seed) -> (base, the model's seconds)."""
        self._planned = dict(planned)
        self._measured, self._modelled = defaultdict(float), defaultdict(float)

    def ended(self, name: str, seed: int, seconds: float) -> None:
        """A seed has ended after `seconds`: its time, over the number of those that were at work beside it."""
        base, modelled = self._planned.pop((name, seed))
        self._measured[base] += seconds
        self._modelled[base] += modelled

    def dropped(self, name: str, seed: int) -> None:
        """A seed will not be run."""
        self._planned.pop((name, seed), None)

    def _correction(self, base: str) -> float:
        bases = [base] if base in self._measured else list(self._measured)
        modelled = sum(self._modelled[one] for one in bases)
        return sum(self._measured[one] for one in bases) / modelled if modelled else 1.0

    def left(self) -> float:
        """Seconds until all of them have ended."""
        return sum(seconds * self._correction(base) for base, seconds in self._planned.values())


def written(seconds: float) -> str:
    minutes = max(round(seconds / 60), 1)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"
