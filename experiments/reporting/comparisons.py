"""Compares every arm of a study with the study's baseline, and decides which differences are more than noise."""

import functools
from typing import NamedTuple

from experiments.reporting import measures
from experiments.reporting.results import Study
from experiments.reporting.statistics import Mean, Paired, confidence_interval, holm, paired_comparison

ALPHA = 0.05
SCORES = ("frechet_distance", "conditional_accuracy")  # of the tables


class Against(NamedTuple):
    """One arm against the baseline in one score. p_holm: corrected over all arms and scores of the study and base."""

    arm: str
    metric: str
    paired: Paired
    p_holm: float | None

    @property
    def decided(self) -> bool:
        return self.p_holm is not None and self.p_holm < ALPHA


def scored(study: Study) -> list[str]:
    """The scores of the tables that any run of the study has."""
    return [name for name in SCORES if any(measures.values(study, arm, measures.METRICS[name]) for arm in study.arms)]


def over_seeds(study: Study, arm: str, name: str) -> Mean:
    """Mean, standard deviation and interval of a metric over an arm's seeds."""
    return confidence_interval(list(measures.values(study, arm, measures.METRICS[name]).values()))


def contrast(study: Study, arm: str, other: str, name: str) -> Paired:
    """Arm minus other in a metric, paired by seed."""
    return paired_comparison(*measures.paired_values(study, arm, other, measures.METRICS[name]))


def against(study: Study, other: str) -> dict[tuple[str, str], Against]:
    """(arm, score) -> its comparison with the arm `other`; Holm over all arms and scores together."""
    keys = [(arm, name) for arm in study.arms for name in scored(study) if arm != other]
    paired = [contrast(study, arm, other, name) for arm, name in keys] if other in study.arms else []
    adjusted = holm([result.p_value for result in paired])
    return {
        key: Against(*key, result, p) for key, result, p in zip(keys, paired, adjusted, strict=False) if result.n > 0
    }


@functools.lru_cache
def against_baseline(study: Study) -> dict[tuple[str, str], Against]:
    return against(study, study.baseline)


def noise_floor(study: Study) -> float | None:
    """Standard deviation over the baseline's seeds of the final Frechet distance; None with fewer than two."""
    return over_seeds(study, study.baseline, "frechet_distance").sd


def beats_noise(result: Against, floor: float | None) -> bool:
    """Whether p is under 0.05 after Holm and the difference is larger than the noise floor."""
    return result.decided and floor is not None and abs(result.paired.difference) > floor


def wording(result: Against, floor: float | None) -> str:
    """The strongest statement that the seeds support."""
    n = result.paired.n
    if n < 2:
        return "one seed in common: nothing can be said"
    if beats_noise(result, floor):
        return f"beyond the noise, supported by {n} seeds"
    if result.decided:
        return f"differs over {n} seeds, by less than the baseline's own spread"
    return f"within the noise, or undecided at {n} seeds"
