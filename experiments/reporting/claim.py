"""A claim as data: its sentence, and the comparisons of arms that test it.

A comparison's direction is the claimed sign of `arm` minus `against`; verdicts.py has the rule.
"""

from typing import NamedTuple

TUTORIAL, SALIMANS = "tutorial", "Salimans et al. 2016"
DISTANCE, ACCURACY, STEPS = "frechet_distance", "conditional_accuracy", "steps_to_threshold"
OSCILLATION, LOST = "d_loss_oscillation", "lost_runs"
DIRECTIONS = ("lower", "higher", "same", "no_lower", "no_higher")


class Comparison(NamedTuple):
    """One pair of arms in one metric.

    against: "" for the baseline of the base.
    controls: with (a, b), (arm - a) is compared with (against - b).
    """

    arm: str
    against: str
    metric: str
    direction: str
    controls: tuple[str, str] | None = None


class Claim(NamedTuple):
    """One conclusion and its test.

    needs: "all" or "any" of the comparisons.
    not_measured: the reason, if no result file has a number for the claim.
    """

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


def below(arm: str, other_arms: tuple[str, ...], metric: str = DISTANCE) -> tuple[Comparison, ...]:
    """The arm is lower than each of the other arms."""
    return tuple(Comparison(arm, other, metric, "lower") for other in other_arms)


def above(arm: str, other_arms: tuple[str, ...], metric: str = DISTANCE) -> tuple[Comparison, ...]:
    return tuple(Comparison(arm, other, metric, "higher") for other in other_arms)


def chain(arms: tuple[str, ...], metric: str) -> tuple[Comparison, ...]:
    """Each arm is lower than the next."""
    return tuple(Comparison(arm, following, metric, "lower") for arm, following in zip(arms, arms[1:], strict=False))
