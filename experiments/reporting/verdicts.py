"""Verdicts on the claims, computed from the findings of findings.py. The rule for one comparison:

- `lower`, `higher`: supported by a difference in this direction. Refuted by a difference in the other direction, or if
  a difference in this direction as large as the metric's margin is excluded.
- `same`: supported if a difference as large as the margin is excluded in both directions, refuted by a difference that
  is larger than the margin.
- `no_lower`, `no_higher`: supported by a difference in the other direction, or if a difference in this direction as
  large as the margin is excluded; refuted by a difference in this direction.
- Everything else is undecided at the given n.

A claim of several comparisons is supported if all of them are and refuted if any of them is; with needs="any" it is
supported by any and refuted by all.

Three guards make a verdict undecided:

- A failed seed has no score. Undecided if these failures would change the verdict.
- Two arms that learned nothing have scores, and even different ones. Undecided if more than half of the runs of both
  arms are degenerate.
- A dead run neither oscillates nor converges. Undecided if more than half of the runs of the arm that seems steadier or
  faster are degenerate.
"""

from typing import NamedTuple

from scipy import stats

from experiments.reporting.claim import Claim, Comparison
from experiments.reporting.families import SCORES, Findings
from experiments.reporting.findings import Contrast, Finding
from experiments.reporting.measures import METRICS, context, degenerate, values
from experiments.reporting.results import Study

SUPPORTED, REFUTED, UNDECIDED, NOT_RUN, NOT_MEASURED = "supported", "refuted", "undecided", "not run", "not measured"


class Outcome(NamedTuple):
    """One comparison on one base, with its statistics. finding: None if an arm was not run."""

    comparison: Comparison
    against: str
    verdict: str
    finding: Finding | None
    remark: str


class ClaimResult(NamedTuple):
    """The verdict on one claim on one base. q: false-discovery rate over all claims; None without a test."""

    claim: Claim
    base: str
    verdict: str
    outcomes: list[Outcome]
    preset: str  # of the data; "" without any
    q: float | None = None


def _contrast(comparison: Comparison, baseline: str) -> Contrast:
    return Contrast(comparison.arm, comparison.against or baseline, comparison.metric, comparison.controls)


def contrasts_of_claims(claims: list[Claim], studies: list[Study]) -> dict[str, list[Contrast]]:
    """Title of a study -> the comparisons that the claims need, without those that lack an arm."""
    return {
        study.title: [
            _contrast(comparison, study.baseline)
            for claim in claims
            if claim.study == study.name and study.base in claim.bases
            for comparison in claim.comparisons
            if _was_run(study, comparison)
        ]
        for study in studies
    }


def direction_verdict(direction: str, finding: Finding) -> str:
    """The rule above for one comparison, without the guards."""
    if direction == "same":
        if finding.is_equal:
            return SUPPORTED
        return REFUTED if finding.is_beyond else UNDECIDED
    sign = -1 if direction.endswith("lower") else 1
    wanted, opposite = (finding.is_lower, finding.is_higher)[::-sign]
    excluded = finding.excludes(sign)
    if direction.startswith("no_"):
        if wanted:
            return REFUTED
        return SUPPORTED if opposite or excluded else UNDECIDED
    if wanted:
        return SUPPORTED
    return REFUTED if opposite or excluded else UNDECIDED


def _guard(study: Study, comparison: Comparison, against: str, verdict: str, finding: Finding) -> tuple[str, str]:
    """(verdict, remark) after the guards: failed and dead runs."""
    if verdict not in (SUPPORTED, REFUTED) or finding.one_program:
        return verdict, ""
    arms, difference = (comparison.arm, against), finding.estimate.difference
    if comparison.metric in (*SCORES, "early_frechet_distance"):
        if all(2 * dead > total for dead, total in (_dead(study, arm) for arm in arms)):
            return UNDECIDED, "most runs of both arms are degenerate: such scores say nothing about the change"
        failed = {arm: sum(run.failed for run in study.arms[arm].runs.values()) for arm in arms}
        better_if_higher = comparison.metric == "conditional_accuracy"
        looks_better = comparison.arm if (difference > 0) == better_if_higher else against
        other = against if looks_better == comparison.arm else comparison.arm
        if failed[looks_better] > failed[other] or (
            comparison.direction == "same" and failed[comparison.arm] != failed[against]
        ):
            spared = max(failed, key=failed.get)
            return UNDECIDED, f"{failed[spared]} failed seeds of {spared} are not in the difference"
    lower = comparison.arm if difference < 0 else against
    if verb := METRICS[comparison.metric].dead_do_not:
        dead, total = _dead(study, lower)
        if 2 * dead > total:
            return UNDECIDED, f"{dead} of {total} runs of {lower} are degenerate: a dead run does not {verb}"
    return verdict, ""


def _dead(study: Study, arm: str) -> tuple[int, int]:
    """(degenerate runs, completed runs) of an arm."""
    runs = [run for run in study.arms[arm].runs.values() if run.completed]
    return sum(bool(degenerate(run, context(study))) for run in runs), len(runs)


def _remark(study: Study, comparison: Comparison, against: str, finding: Finding) -> str:
    """The reason if a comparison has no test, or a warning about its number."""
    if finding.one_program:
        return "one program under two names: equal to the last digit"
    missing = [arm for arm in (comparison.arm, against) if not values(study, arm, comparison.metric)]
    if missing:
        return f"no number for {' and '.join(missing)}: no seed completed, or its curve is missing or too short"
    if comparison.metric == "steps_to_threshold" and finding.p is None:
        return "too many runs ended before the threshold, so neither arm is known to be faster"
    if finding.at_least:
        return f"at {'least' if finding.at_least > 0 else 'most'} this, since runs ended before the threshold"
    if finding.estimate.disagreement is not None and finding.estimate.disagreement < 0.05:
        return f"the two machines differ (p {finding.estimate.disagreement:.3f}), so the interval is wider"
    if finding.decided and finding.is_equal:
        return "real, but smaller than the margin"
    return ""


def _was_run(study: Study | None, comparison: Comparison) -> bool:
    """Whether every arm of a comparison has a seed that ended."""
    if study is None:
        return False
    arms = {comparison.arm, comparison.against or study.baseline, *(comparison.controls or ())}
    ended = {a.name for a in study.arms.values() if any(run.completed or run.failed for run in a.runs.values())}
    return ended.issuperset(arms)


def _together(claim: Claim, verdicts: list[str]) -> str:
    decisive, other = (REFUTED, SUPPORTED) if claim.needs == "all" else (SUPPORTED, REFUTED)
    if decisive in verdicts:
        return decisive
    if NOT_RUN in verdicts:
        return NOT_RUN
    return other if set(verdicts) == {other} else UNDECIDED


def _outcome(study: Study | None, comparison: Comparison, findings: Findings) -> Outcome:
    if not _was_run(study, comparison):
        return Outcome(comparison, comparison.against or "the baseline", NOT_RUN, None, "")
    contrast = _contrast(comparison, study.baseline)
    finding = findings[study.title][contrast]
    verdict = direction_verdict(comparison.direction, finding)
    verdict, why = _guard(study, comparison, contrast.against, verdict, finding)
    return Outcome(
        comparison, contrast.against, verdict, finding, why or _remark(study, comparison, contrast.against, finding)
    )


def evaluate_claims(claims: list[Claim], studies: list[Study], findings: Findings) -> list[ClaimResult]:
    """Every claim on each of its bases, in the order of the claims."""
    by_title, results = {study.title: study for study in studies}, []
    for claim in claims:
        for base in claim.bases:
            study = by_title.get(f"{claim.study}@{base}")
            outcomes = [_outcome(study, comparison, findings) for comparison in claim.comparisons]
            verdict = NOT_MEASURED if claim.not_measured else _together(claim, [o.verdict for o in outcomes])
            results.append(ClaimResult(claim, base, verdict, outcomes, study.preset if study else ""))
    return _with_false_discovery_rates(results)


def _p_of_outcome(outcome: Outcome) -> float | None:
    """The p-value of a decided comparison, without the family's correction; None if it was decided without a test."""
    finding, direction = outcome.finding, outcome.comparison.direction
    if finding.one_program:
        return None
    if finding.decided and not (direction == "same" and outcome.verdict == SUPPORTED):
        return finding.estimate.p_value
    signs = (1, -1) if direction == "same" else (-1 if direction.endswith("lower") else 1,)
    p_values = [finding.p_of_exclusion(sign) for sign in signs]
    return None if None in p_values else max(p_values)


def _p_of_claim(result: ClaimResult) -> float:
    """The p-value of a claim's verdict: 1 if it is undecided.

    A verdict that needs all comparisons has the largest p; one that needs any has the smallest, times their number.
    """
    if result.verdict not in (SUPPORTED, REFUTED):
        return 1.0
    decided = [outcome for outcome in result.outcomes if outcome.verdict == result.verdict]
    p_values = [0.0 if (p := _p_of_outcome(outcome)) is None else p for outcome in decided]
    needs_each = (result.verdict == SUPPORTED) == (result.claim.needs == "all")
    return max(p_values) if needs_each else min(1.0, min(p_values) * len(result.outcomes))


def _with_false_discovery_rates(results: list[ClaimResult]) -> list[ClaimResult]:
    """Adds q (Benjamini and Hochberg 1995) to the decided claims; undecided ones take part with p = 1."""
    tested = [r for r in results if any(o.finding and o.finding.p is not None for o in r.outcomes)]
    if not tested:
        return results
    q_values = stats.false_discovery_control([_p_of_claim(result) for result in tested])
    q_of = {(r.claim.id, r.base): float(q) for r, q in zip(tested, q_values, strict=True)}
    decided = (SUPPORTED, REFUTED)
    return [r._replace(q=q_of.get((r.claim.id, r.base)) if r.verdict in decided else None) for r in results]
