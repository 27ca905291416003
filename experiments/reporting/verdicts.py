"""Whether a claim holds, computed from the result files.

The rule. Each comparison of a claim is a paired t test over common seeds (McNemar's exact test for rates). All m
comparisons of all claims on one study and base are a family: p is corrected by Holm, and intervals are simultaneous,
of level 1 - 0.05 / m (Bonferroni). A difference in the claimed direction with p < 0.05 supports; one the other way
with p < 0.05 refutes. So does an interval that excludes the claimed effect: one that leaves no room for a difference
as large as the metric's margin. `same` is supported by an interval within the margin on both sides, and refuted by one
outside it; `no_lower` and `no_higher` are supported by an interval that leaves no room for the margin on that side, or
by the opposite effect, and refuted by the effect itself. Everything else is undecided at the given n. A claim of
several comparisons is supported by all and refuted by any, or with needs="any" the other way round.

Three guards. A failed seed's score is left out and its pair is missing: a verdict that those failures would speak
against is undecided. A dead run neither oscillates nor converges: where more than half of the supposedly steadier or
faster arm's runs are degenerate, that is undecided. And a run that ended before the threshold has no number of steps
to it: where seeds of the arm that looks faster never reached it, which is faster is undecided.
"""

import math
from typing import NamedTuple

from experiments.reporting.claim import Claim, Comparison
from experiments.reporting.comparisons import ALPHA, SCORES
from experiments.reporting.measures import METRICS, degenerate, paired_values, values
from experiments.reporting.results import Study
from experiments.reporting.statistics import Paired, holm, paired_comparison, paired_failures

SUPPORTED, REFUTED, UNDECIDED, NOT_RUN, NOT_MEASURED = "supported", "refuted", "undecided", "not run", "not measured"


class Outcome(NamedTuple):
    """One comparison on one base, with the figure behind it."""

    comparison: Comparison
    against: str
    verdict: str
    paired: Paired | None
    p_holm: float | None
    margin: float | None
    remark: str


class Judged(NamedTuple):
    """One claim on one base."""

    claim: Claim
    base: str
    verdict: str
    outcomes: list[Outcome]
    preset: str  # of the data; "" without any


def _minus(values: tuple[dict, dict], controls: tuple[dict, dict]) -> tuple[dict, dict]:
    """Each arm minus its control, over the seeds that all four have."""
    seeds = set.intersection(*(set(found) for found in (*values, *controls)))
    return tuple({s: v[s] - c[s] for s in seeds} for v, c in zip(values, controls, strict=True))


def _measured(study: Study, one: Comparison, other: str, level: float) -> tuple[Paired, float]:
    """(the paired comparison, the margin in the metric's own unit)."""
    metric = METRICS[one.metric]
    pair = paired_values(study, one.arm, other, metric)
    mean = abs(sum(pair[1].values()) / len(pair[1])) if pair[1] else 0.0
    margin = metric.margin * (mean if metric.relative else 1.0)
    if one.controls:
        pair = _minus(pair, paired_values(study, *one.controls, metric))
    return paired_failures(*pair) if metric.rate else paired_comparison(*pair, level), margin


def direction_verdict(direction: str, paired: Paired, p_holm: float | None, margin: float) -> str:
    """The rule above for one comparison, without the guards."""
    if paired.n < 2 or p_holm is None:
        return UNDECIDED
    low, high = paired.interval or (-math.inf, math.inf)
    lower, higher = (p_holm < ALPHA and sign * paired.difference > 0 for sign in (-1, 1))
    if direction == "same":
        if -margin < low and high < margin:
            return SUPPORTED
        return REFUTED if low > margin or high < -margin else UNDECIDED
    down = direction.endswith("lower")
    wanted, opposite, no_room = (lower, higher, low > -margin) if down else (higher, lower, high < margin)
    if direction.startswith("no_"):
        wanted, opposite, no_room = opposite or (no_room and not wanted), wanted, False
    if wanted:
        return SUPPORTED
    return REFUTED if opposite or no_room else UNDECIDED


def _never(study: Study, arm: str) -> int:
    """Seeds of an arm that did not reach the threshold."""
    return sum(not math.isfinite(steps) for steps in values(study, arm, METRICS["steps_to_threshold"]).values())


def _guard(study: Study, one: Comparison, other: str, verdict: str, paired: Paired) -> tuple[str, str]:
    """(verdict, remark) once failed, dead and short runs are taken into account."""
    if verdict not in (SUPPORTED, REFUTED):
        return verdict, ""
    if one.metric in SCORES:
        failed = {arm: sum(run.failed for run in study.arms[arm].runs.values()) for arm in (one.arm, other)}
        looks_better = one.arm if (paired.difference > 0) == (one.metric == "conditional_accuracy") else other
        if failed[looks_better] > min(failed.values()) or (
            one.direction == "same" and failed[one.arm] != failed[other]
        ):
            spared = max(failed, key=failed.get)
            return UNDECIDED, f"{failed[spared]} failed seeds of {spared} are not in the difference"
    lower = one.arm if paired.difference < 0 else other
    if verb := METRICS[one.metric].dead_do_not:
        runs = [run for run in study.arms[lower].runs.values() if run.completed]
        dead = sum(bool(degenerate(study, run)) for run in runs)
        if 2 * dead > len(runs):
            return UNDECIDED, f"{dead} of {len(runs)} runs of {lower} are degenerate: a dead run does not {verb}"
    if one.metric == "steps_to_threshold" and (never := _never(study, lower)):
        steps = study.arms[lower].steps
        return UNDECIDED, f"{never} seeds of {lower}, the faster by this number, ended at {steps} without reaching it"
    return verdict, ""


def _remark(study: Study, one: Comparison, other: str, paired: Paired) -> str:
    """Why a comparison has no number, or what its number hides."""
    missing = [arm for arm in (one.arm, other) if not values(study, arm, METRICS[one.metric])]
    if paired.n == 0:
        if missing:
            return f"no number for {' and '.join(missing)}: no seed completed, or the curve is missing"
        return "no seed in common" if one.metric != "steps_to_threshold" else "neither arm reached the threshold"
    if one.metric != "steps_to_threshold":
        return ""
    ends = ", ".join(f"{arm} ({study.arms[arm].steps} steps)" for arm in (one.arm, other) if _never(study, arm))
    return f"some seeds never reached it and count with their length: {ends}" if ends else ""


def _arms(study: Study, one: Comparison) -> tuple[str, ...]:
    return (one.arm, one.against or study.baseline, *(one.controls or ()))


def _run_arms(study: Study | None, one: Comparison) -> bool:
    """Whether every arm of a comparison has a seed that ended."""
    if study is None:
        return False
    ended = {a.name for a in study.arms.values() if any(run.completed or run.failed for run in a.runs.values())}
    return ended.issuperset(_arms(study, one))


def _together(claim: Claim, verdicts: list[str]) -> str:
    decisive, other = (REFUTED, SUPPORTED) if claim.needs == "all" else (SUPPORTED, REFUTED)
    if decisive in verdicts:
        return decisive
    if NOT_RUN in verdicts:
        return NOT_RUN
    return other if set(verdicts) == {other} else UNDECIDED


def _judge_family(study: Study | None, base: str, claims: list[Claim]) -> list[Judged]:
    """All claims on one study and base: the family that Holm corrects for."""
    tests = [(claim, one) for claim in claims for one in claim.comparisons if _run_arms(study, one)]
    level = 1 - ALPHA / max(len(tests), 1)
    measured = [_measured(study, one, one.against or study.baseline, level) for _, one in tests]
    adjusted = holm([paired.p_value for paired, _ in measured])
    found = {}
    for (claim, one), (paired, margin), p_holm in zip(tests, measured, adjusted, strict=True):
        other = one.against or study.baseline
        verdict = direction_verdict(one.direction, paired, p_holm, margin)
        verdict, why = _guard(study, one, other, verdict, paired)
        remark = why or _remark(study, one, other, paired)
        found[claim.id, one] = Outcome(one, other, verdict, paired, p_holm, margin, remark)
    judged = []
    for claim in claims:
        outcomes = [
            found.get((claim.id, one)) or Outcome(one, one.against or "the baseline", NOT_RUN, None, None, None, "")
            for one in claim.comparisons
        ]
        verdict = NOT_MEASURED if claim.not_measured else _together(claim, [one.verdict for one in outcomes])
        judged.append(Judged(claim, base, verdict, outcomes, study.preset if study else ""))
    return judged


def judge(claims: list[Claim], studies: list[Study]) -> list[Judged]:
    """Every claim on each of its bases, in the order of the claims."""
    by_title = {(study.name, study.base): study for study in studies}
    families = sorted({(claim.study, base) for claim in claims for base in claim.bases})
    found = {}
    for name, base in families:
        family = [claim for claim in claims if claim.study == name and base in claim.bases]
        for one in _judge_family(by_title.get((name, base)), base, family):
            found[one.claim.id, base] = one
    return [found[claim.id, base] for claim in claims for base in claim.bases]
