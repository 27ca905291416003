"""A run's training steps as compiled calls of several steps each, and what is due after a call."""

from collections.abc import Iterator
from typing import NamedTuple

from ml_collections import ConfigDict


class Call(NamedTuple):
    """`count` training steps from `first_step` on, in one compiled call."""

    first_step: int
    count: int

    @property
    def end(self) -> int:
        return self.first_step + self.count

    def is_due(self, every: int) -> bool:
        """Whether something that happens `every` so many steps is due after this call; 0: never."""
        return bool(every) and self.end // every > self.first_step // every


def calls(config: ConfigDict, step: int, total: int) -> Iterator[Call]:
    """The calls of a run from `step` on. None ends in the middle of a checkpoint's or a score's interval."""
    intervals = (config.steps_per_call, config.checkpoint_every_steps, config.eval.every_steps)
    while step < total:
        end = min(total, *((step // every + 1) * every for every in intervals if every))
        yield Call(step, end - step)
        step = end
