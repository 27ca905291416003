"""How one seed's training stands: the same on every process of a run."""

import dataclasses


@dataclasses.dataclass
class SeedStatus:
    """step: training steps done, of `total`. stopped_early: by its validation scores. failed: diverged or collapsed."""

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
        """Whether it has more steps to take."""
        return not (self.finished or self.failed)
