"""Verdicts on the claims, computed from the result files.

Each comparison of a claim is a paired t test over common seeds (McNemar's exact test for rates). All m comparisons of
all claims on one study and base are one family: p is corrected by Holm, and intervals are simultaneous, of level
1 - 0.05 / m (Bonferroni). The rule for one comparison:

- `lower`, `higher`: supported by a difference in this direction with p < 0.05. Refuted by a difference in the other
  direction with p < 0.05, or by an interval that excludes a difference as large as the metric's margin.
- `same`: supported by an interval inside the margin on both sides, refuted by an interval outside the margin.
- `no_lower`, `no_higher`: supported by an interval that excludes a difference as large as the margin in this direction,
  or by the opposite effect; refuted by the effect itself.
- Everything else is undecided at the given n.

A claim of several comparisons is supported if all of them are and refuted if any of them is; with needs="any" it is
supported by any and refuted by all.

Three guards make a verdict undecided:

- A failed seed has no score, so its pair is missing. Undecided if these failures would change the verdict.
- A dead run neither oscillates nor converges. Undecided if more than half of the runs of the arm that seems steadier or
  faster are degenerate.
- A run that ended before the threshold has no number of steps to it. Undecided if seeds of the arm that seems faster
  never reached the threshold.
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
    """One comparison on one base, with its statistics."""

    comparison: Comparison
    against: str
    verdict: str
    paired: Paired | None
    p_holm: float | None
    margin: float | None
    remark: str


class ClaimResult(NamedTuple):
    """The verdict on one claim on one base."""

    claim: Claim
    base: str
    verdict: str
    outcomes: list[Outcome]
    preset: str  # of the data; "" without any


def _minus(values: tuple[dict, dict], controls: tuple[dict, dict]) -> tuple[dict, dict]:
    """Each arm minus its control, over the seeds that all four have."""
    seeds = set.intersection(*(set(by_seed) for by_seed in (*values, *controls)))
    return tuple({s: v[s] - c[s] for s in seeds} for v, c in zip(values, controls, strict=True))


def _measured(study: Study, comparison: Comparison, reference: str, level: float) -> tuple[Paired, float]:
    """(the paired comparison, the margin in the metric's own unit)."""
    metric = METRICS[comparison.metric]
    pair = paired_values(study, comparison.arm, reference, metric)
    mean = abs(sum(pair[1].values()) / len(pair[1])) if pair[1] else 0.0
    margin = metric.margin * (mean if metric.relative else 1.0)
    if comparison.controls:
        pair = _minus(pair, paired_values(study, *comparison.controls, metric))
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


def _guard(study: Study, comparison: Comparison, reference: str, verdict: str, paired: Paired) -> tuple[str, str]:
    """(verdict, remark) after the three guards: failed, dead and short runs."""
    if verdict not in (SUPPORTED, REFUTED):
        return verdict, ""
    if comparison.metric in SCORES:
        failed = {arm: sum(run.failed for run in study.arms[arm].runs.values()) for arm in (comparison.arm, reference)}
        better_if_higher = comparison.metric == "conditional_accuracy"
        looks_better = comparison.arm if (paired.difference > 0) == better_if_higher else reference
        if failed[looks_better] > min(failed.values()) or (
            comparison.direction == "same" and failed[comparison.arm] != failed[reference]
        ):
            spared = max(failed, key=failed.get)
            return UNDECIDED, f"{failed[spared]} failed seeds of {spared} are not in the difference"
    lower = comparison.arm if paired.difference < 0 else reference
    if verb := METRICS[comparison.metric].dead_do_not:
        runs = [run for run in study.arms[lower].runs.values() if run.completed]
        dead = sum(bool(degenerate(study, run)) for run in runs)
        if 2 * dead > len(runs):
            return UNDECIDED, f"{dead} of {len(runs)} runs of {lower} are degenerate: a dead run does not {verb}"
    if comparison.metric == "steps_to_threshold" and (never := _never(study, lower)):
        steps = study.arms[lower].steps
        return UNDECIDED, f"{never} seeds of {lower}, the faster by this number, ended at {steps} without reaching it"
    return verdict, ""


def _remark(study: Study, comparison: Comparison, reference: str, paired: Paired) -> str:
    """The reason if a comparison has no number, or a warning about its number."""
    missing = [arm for arm in (comparison.arm, reference) if not values(study, arm, METRICS[comparison.metric])]
    if paired.n == 0:
        if missing:
            return f"no number for {' and '.join(missing)}: no seed completed, or the curve is missing"
        return "no seed in common" if comparison.metric != "steps_to_threshold" else "neither arm reached the threshold"
    if comparison.metric != "steps_to_threshold":
        return ""
    too_short = [arm for arm in (comparison.arm, reference) if _never(study, arm)]
    ends = ", ".join(f"{arm} ({study.arms[arm].steps} steps)" for arm in too_short)
    return f"some seeds never reached it and count with their length: {ends}" if ends else ""


def _arms(study: Study, comparison: Comparison) -> tuple[str, ...]:
    return (comparison.arm, comparison.against or study.baseline, *(comparison.controls or ()))


def _run_arms(study: Study | None, comparison: Comparison) -> bool:
    """Whether every arm of a comparison has a seed that ended."""
    if study is None:
        return False
    ended = {a.name for a in study.arms.values() if any(run.completed or run.failed for run in a.runs.values())}
    return ended.issuperset(_arms(study, comparison))


def _together(claim: Claim, verdicts: list[str]) -> str:
    decisive, other = (REFUTED, SUPPORTED) if claim.needs == "all" else (SUPPORTED, REFUTED)
    if decisive in verdicts:
        return decisive
    if NOT_RUN in verdicts:
        return NOT_RUN
    return other if set(verdicts) == {other} else UNDECIDED


def _evaluate_family(study: Study | None, base: str, claims: list[Claim]) -> list[ClaimResult]:
    """All claims on one study and base: the family that Holm corrects for."""
    pairs = [(claim, comparison) for claim in claims for comparison in claim.comparisons]
    tests = [(claim, comparison) for claim, comparison in pairs if _run_arms(study, comparison)]
    level = 1 - ALPHA / max(len(tests), 1)
    references = [comparison.against or study.baseline for _, comparison in tests]
    measured = [
        _measured(study, comparison, reference, level)
        for (_, comparison), reference in zip(tests, references, strict=True)
    ]
    adjusted = holm([paired.p_value for paired, _ in measured])
    outcome_of = {}
    rows = zip(tests, references, measured, adjusted, strict=True)
    for (claim, comparison), reference, (paired, margin), p_holm in rows:
        verdict = direction_verdict(comparison.direction, paired, p_holm, margin)
        verdict, why = _guard(study, comparison, reference, verdict, paired)
        remark = why or _remark(study, comparison, reference, paired)
        outcome_of[claim.id, comparison] = Outcome(comparison, reference, verdict, paired, p_holm, margin, remark)
    results = []
    for claim in claims:
        outcomes = [
            outcome_of.get((claim.id, comparison))
            or Outcome(comparison, comparison.against or "the baseline", NOT_RUN, None, None, None, "")
            for comparison in claim.comparisons
        ]
        verdict = NOT_MEASURED if claim.not_measured else _together(claim, [outcome.verdict for outcome in outcomes])
        results.append(ClaimResult(claim, base, verdict, outcomes, study.preset if study else ""))
    return results


def evaluate_claims(claims: list[Claim], studies: list[Study]) -> list[ClaimResult]:
    """Every claim on each of its bases, in the order of the claims."""
    by_title = {(study.name, study.base): study for study in studies}
    families = sorted({(claim.study, base) for claim in claims for base in claim.bases})
    results = {}
    for name, base in families:
        family = [claim for claim in claims if claim.study == name and base in claim.bases]
        for result in _evaluate_family(by_title.get((name, base)), base, family):
            results[result.claim.id, base] = result
    return [results[claim.id, base] for claim in claims for base in claim.bases]
