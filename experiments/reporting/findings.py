"""The result of one comparison, and the strongest statement that it supports."""

from typing import NamedTuple

from experiments.reporting.contrasts import Estimate
from experiments.reporting.measures import METRICS, Metric
from experiments.reporting.simultaneous import ALPHA


class Contrast(NamedTuple):
    """One comparison: arm minus `against` in a metric. controls (a, b): (arm - a) minus (against - b)."""

    arm: str
    against: str
    metric: str
    controls: tuple[str, str] | None = None


class Finding(NamedTuple):
    """The result of one comparison. p and interval are corrected for the family.

    at_least: the difference is a lower bound (1) or an upper bound (-1), since runs ended before the threshold; else 0.
    """

    contrast: Contrast
    estimate: Estimate
    p: float | None
    interval: tuple[float, float] | None
    one_program: bool = False
    at_least: int = 0

    @property
    def metric(self) -> Metric:
        return METRICS[self.contrast.metric]

    @property
    def decided(self) -> bool:
        """Whether there is a difference: its sign is that of the estimate."""
        return self.p is not None and self.p < ALPHA

    @property
    def is_lower(self) -> bool:
        return self.decided and self.estimate.difference < 0

    @property
    def is_higher(self) -> bool:
        return self.decided and self.estimate.difference > 0

    def excludes(self, sign: int) -> bool:
        """Whether a difference as large as the margin is excluded, upwards (sign 1) or downwards (-1)."""
        if self.one_program:
            return True
        if self.interval is None:
            return False
        low, high = self.interval
        return high < self.metric.margin_on_scale if sign > 0 else low > -self.metric.margin_on_scale

    def p_of_exclusion(self, sign: int) -> float | None:
        """One-sided p-value, without the correction, of "the difference is as large as the margin" in a direction."""
        if not self.estimate.components:
            return None
        return self.estimate.tail(self.metric.margin_on_scale - sign * self.estimate.difference)

    @property
    def is_equal(self) -> bool:
        """Whether a difference as large as the margin is excluded in both directions (two one-sided tests)."""
        return self.excludes(1) and self.excludes(-1)

    @property
    def is_beyond(self) -> bool:
        """Whether the difference is larger than the margin."""
        if self.interval is None:
            return False
        low, high = self.interval
        return low > self.metric.margin_on_scale or high < -self.metric.margin_on_scale


def state(finding: Finding | None) -> str:
    """The strongest statement that the seeds support."""
    if finding is None or finding.estimate.difference is None and not finding.one_program:
        return "no number"
    if finding.one_program:
        return "the same program"
    if finding.p is None:
        return "no test"
    if not finding.decided:
        return "no difference as large as the margin" if finding.is_equal else "undecided"
    side = "lower" if finding.is_lower else "higher"
    return f"{side}, but by less than the margin" if finding.is_equal else side
