"""The status of one seed's training. It is the same on every process of a run."""

import dataclasses


@dataclasses.dataclass
class SeedStatus:
    """The status of one seed.

    total: training steps of the complete run.
    step: training steps so far.
    stopped_early: whether the validation scores ended the run.
    failed: whether the run has diverged or collapsed.
    """

    seed: int
    total: int
    step: int = 0
    stopped_early: bool = False
    failed: bool = False

    @property
    def finished(self) -> bool:
        return self.stopped_early or self.step >= self.total

    @property
    def live(self) -> bool:
        """Whether the seed is still training."""
        return not (self.finished or self.failed)
