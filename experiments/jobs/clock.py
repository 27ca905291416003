"""How long the runs will take: by a rough model at first, then corrected by the time that others like them took."""

from collections import defaultdict


class Clock:
    """The seconds that are left of planned seeds."""

    def __init__(self, planned: dict[tuple[str, int], tuple[str, float]]):
        """planned: (folder, seed) -> (the base that its correction is for, a model's seconds)."""
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
