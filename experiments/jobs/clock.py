"""The time that the runs will take: first by a rough model, then corrected by the times of the runs that ended."""

from collections import defaultdict


class Clock:
    """Estimates the seconds that the planned seeds still need."""

    def __init__(self, planned: dict[tuple[str, int], tuple[str, float]]):
        """planned: (folder, seed) -> (base, seconds by the model). The model is corrected per base."""
        self._planned = dict(planned)
        self._measured, self._modelled = defaultdict(float), defaultdict(float)

    def ended(self, name: str, seed: int, seconds: float) -> None:
        """A seed has ended. seconds: its time divided by the number of runs at work at the same time."""
        base, modelled = self._planned.pop((name, seed))
        self._measured[base] += seconds
        self._modelled[base] += modelled

    def dropped(self, name: str, seed: int) -> None:
        """A seed will not be run."""
        self._planned.pop((name, seed), None)

    def _correction(self, base: str) -> float:
        bases = [base] if base in self._measured else list(self._measured)
        modelled = sum(self._modelled[name] for name in bases)
        return sum(self._measured[name] for name in bases) / modelled if modelled else 1.0

    def seconds_left(self) -> float:
        """Seconds until all planned seeds have ended."""
        return sum(seconds * self._correction(base) for base, seconds in self._planned.values())


def format_duration(seconds: float) -> str:
    minutes = max(round(seconds / 60), 1)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"
