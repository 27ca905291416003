"""A claim as data: its sentence, and the comparisons by which it would show in numbers.

A comparison's direction is what the claim says of `arm` minus `against`; verdicts.py has the rule.
"""

from typing import NamedTuple

TUTORIAL, SALIMANS = "tutorial", "Salimans et al. 2016"
DISTANCE, ACCURACY, STEPS, SECONDS = "frechet_distance", "conditional_accuracy", "steps_to_threshold", "seconds"
OSCILLATION, LOST = "d_loss_oscillation", "lost_runs"
DIRECTIONS = ("lower", "higher", "same", "no_lower", "no_higher")


class Comparison(NamedTuple):
    """`arm` against `against`, "" for the baseline of the base. controls (a, b): (arm - a) against (against - b)."""

    arm: str
    against: str
    metric: str
    direction: str
    controls: tuple[str, str] | None = None


class Claim(NamedTuple):
    """needs: whether all comparisons have to hold, or any. not_measured: why no result file can say."""

    id: str
    sentence: str
    study: str
    comparisons: tuple[Comparison, ...] = ()
    bases: tuple[str, ...] = ("tutorial", "tuned")
    source: str = TUTORIAL
    needs: str = "all"
    note: str = ""
    not_measured: str = ""


def each(arms: tuple[str, ...], against: str, metric: str, direction: str) -> tuple[Comparison, ...]:
    return tuple(Comparison(arm, against, metric, direction) for arm in arms)


def below(arm: str, others: tuple[str, ...], metric: str = DISTANCE) -> tuple[Comparison, ...]:
    """The arm is lower than each of the others."""
    return tuple(Comparison(arm, other, metric, "lower") for other in others)


def above(arm: str, others: tuple[str, ...], metric: str = DISTANCE) -> tuple[Comparison, ...]:
    return tuple(Comparison(arm, other, metric, "higher") for other in others)


def chain(arms: tuple[str, ...], metric: str) -> tuple[Comparison, ...]:
    """Each arm is lower than the next."""
    return tuple(Comparison(one, other, metric, "lower") for one, other in zip(arms, arms[1:], strict=False))
