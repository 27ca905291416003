"""Divides the training steps of a run into compiled calls of several steps."""

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
        """Whether an event with an interval of `every` steps is due after this call; 0: never."""
        return bool(every) and self.end // every > self.first_step // every


def calls(config: ConfigDict, step: int, total: int) -> Iterator[Call]:
    """The calls of a run from `step` to `total`. A call never crosses a step at which a checkpoint or score is due."""
    intervals = (config.steps_per_call, config.checkpoint_every_steps, config.eval.every_steps)
    while step < total:
        end = min(total, *((step // every + 1) * every for every in intervals if every))
        yield Call(step, end - step)
        step = end
