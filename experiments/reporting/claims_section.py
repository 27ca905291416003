"""Verdicts as tables, and as plain data."""

import collections
import math

from experiments.reporting.document import Cell, Heading, Paragraph, Table
from experiments.reporting.findings import Finding, state
from experiments.reporting.formats import format_difference, format_interval, p_text
from experiments.reporting.measures import METRICS
from experiments.reporting.results import Study, anchor
from experiments.reporting.verdicts import NOT_MEASURED, NOT_RUN, REFUTED, SUPPORTED, ClaimResult, Outcome

_CELL_KINDS = {SUPPORTED: "good", REFUTED: "bad"}
_SIGNS = {"lower": "<", "higher": ">", "same": "about", "no_lower": "not <", "no_higher": "not >"}
RULE = (
    "Rule: the comparisons of all claims on one study and base, and all comparisons in that study's tables, are one "
    "family. The method stands at the end of report.md: one variance for all arms of a machine, distances on the log "
    "scale, p-values and intervals corrected for the family (max-|t|, Dunnett). A difference (p under 0.05) in the "
    "claimed direction supports the claim, also if it is smaller than the metric's margin; the evidence then says so. "
    "A difference in the other direction refutes it, and so does an interval that excludes an effect as large as the "
    "margin. Claims that two arms are alike, or that there is no effect, need an interval within the margin. "
    "Everything else is undecided at the given n. A claim of several comparisons needs all of them: one refuted "
    "comparison refutes the claim. If a claim needs any of its comparisons, one supported comparison supports it. "
    "Rates of failure have Fisher's exact test. q is the false-discovery rate over all claims (Benjamini and "
    "Hochberg). Three exceptions are undecided: failed seeds, which are left out, would change the verdict; most runs "
    "of both arms are degenerate; an arm is steadier or faster, but most of its runs are degenerate. Seconds have no "
    "test: the machines were not idle."
)


def _margins() -> str:
    """A sentence with the margin of every metric."""
    parts = []
    for metric in METRICS.values():
        size = f"a factor of {1 + metric.margin:g}" if metric.scale == "log" else f"{metric.margin:g}"
        if metric.kind == "share":
            size = f"{100 * metric.margin:g} points"
        parts.append(f"{metric.label}: {size}")
    return f"Margins. {'; '.join(parts)}."


def command(result: ClaimResult) -> str:
    return f"python -m experiments.ablations --preset full --studies {result.claim.study} --bases {result.base}"


def figure(outcome: Outcome) -> str:
    """One comparison in words: arms, metric, difference, interval, n, p, a remark if there is one, and the verdict."""
    comparison, metric = outcome.comparison, METRICS[outcome.comparison.metric]
    arms = f"{comparison.arm} {_SIGNS[comparison.direction]} {outcome.against}"
    if comparison.controls:
        first, second = comparison.controls
        arms = f"({comparison.arm} - {first}) {_SIGNS[comparison.direction]} ({outcome.against} - {second})"
    if outcome.finding is None:
        return f"{arms}, {metric.label}: not run"
    estimate, parts = outcome.finding.estimate, []
    if estimate.difference is not None and not outcome.finding.one_program:
        unit = " points" if metric.kind == "share" else ""
        parts.append(f"{format_difference(estimate.difference, metric)}{unit}")
        if outcome.finding.interval:
            parts.append(f"simultaneous interval {format_interval(outcome.finding.interval, metric)}")
        parts.append("n = {} and {}".format(*estimate.n))
    if outcome.finding.p is not None:
        parts.append(f"p (family) {p_text(outcome.finding.p)}")
    if outcome.remark:
        parts.append(outcome.remark)
    return f"{arms}, {metric.label}: {', '.join(parts)}; {outcome.verdict}"


def _evidence(result: ClaimResult) -> str:
    claim = result.claim
    if result.verdict == NOT_MEASURED:
        return claim.not_measured
    any_of = "Any of these: " if claim.needs == "any" and len(claim.comparisons) > 1 else ""
    text = any_of + ". ".join(figure(outcome) for outcome in result.outcomes)
    return f"{text}. {claim.note}" if claim.note else text


def _verdict(result: ClaimResult) -> Cell:
    text = result.verdict
    if result.verdict == "undecided":
        counts = [min(outcome.finding.estimate.n) for outcome in result.outcomes if outcome.finding]
        text += f" at n = {min(counts)}" if counts and min(counts) else ""
    text += f" (q {p_text(result.q)})" if result.q is not None else ""
    text += " (quick preset)" if result.preset == "quick" else ""
    return Cell(text, _CELL_KINDS.get(result.verdict, "open"))


def _row(result: ClaimResult, written_up: set[str]) -> tuple:
    claim, target = result.claim, anchor(result.claim.study, result.base)
    study = Cell(claim.study, target=target) if target in written_up else Cell(claim.study)
    return claim.sentence, _verdict(result), study, _evidence(result), claim.source


def _by_base(results: list[ClaimResult]) -> dict[str, list[ClaimResult]]:
    grouped = collections.defaultdict(list)
    for result in results:
        grouped[result.base].append(result)
    return grouped


def _differing(results: list[ClaimResult]) -> Table | None:
    """Claims that are decided on one base only, or differently on two."""
    by_claim, rows = collections.defaultdict(dict), []
    for result in results:
        by_claim[result.claim.sentence][result.base] = result.verdict
    for sentence, verdicts in by_claim.items():
        if len(set(verdicts.values())) > 1 and {SUPPORTED, REFUTED} & set(verdicts.values()):
            rows.append((sentence, "; ".join(f"{base}: {verdict}" for base, verdict in verdicts.items())))
    return Table("Claims with different verdicts on different bases", ("claim", "verdicts"), rows) if rows else None


def section(results: list[ClaimResult], studies: list[Study]) -> list:
    """The claims, base by base. A claim links to its study's section if `studies` has the study."""
    written_up, quick = {study.anchor for study in studies}, any(result.preset == "quick" for result in results)
    blocks = [
        Heading(2, "What the tutorial concluded", "claims"),
        Paragraph(
            "The tutorial drew each conclusion from one run. Here each is tested by comparisons over several seeds."
        ),
        Paragraph(RULE, "quiet"),
        Paragraph(_margins(), "quiet"),
    ]
    if quick:
        blocks.append(Paragraph("Verdicts from the quick preset only show that the rule works.", "caution"))
    for base, group in _by_base(results).items():
        counts = collections.Counter(result.verdict for result in group)
        caption = f"Base: {base} ({', '.join(f'{count} {verdict}' for verdict, count in counts.most_common())})"
        rows = [_row(result, written_up) for result in group if result.verdict != NOT_RUN]
        if rows:
            blocks.append(Table(caption, ("claim", "verdict", "study", "evidence", "source"), rows))
        missing = [result for result in group if result.verdict == NOT_RUN]
        if to_run := [(result.claim.sentence, Cell(command(result), "code")) for result in missing]:
            head = ("claim", "command that runs it")
            blocks.append(Table(f"Base: {base}, not run or not with every arm that the claim needs", head, to_run))
    differing = _differing(results)
    return [*blocks, differing] if differing else blocks


def _numbers(finding: Finding) -> dict:
    """The statistics of a finding. difference and interval are on the metric's scale; null for an infinite bound."""
    estimate, metric = finding.estimate, finding.metric
    interval = finding.interval and [bound if math.isfinite(bound) else None for bound in finding.interval]
    return {
        "n": list(estimate.n),
        "scale": metric.scale,
        "difference": estimate.difference,
        "error": [component._asdict() for component in estimate.components],
        "p": estimate.p_value,
        "p_family": finding.p,
        "interval": interval,
        "margin": metric.margin_on_scale,
        "state": state(finding),
    }


def as_data(results: list[ClaimResult]) -> list[dict]:
    """The content of claims.json: one entry per claim and base."""
    entries = []
    for result in results:
        comparisons = []
        for outcome in result.outcomes:
            entry = {**outcome.comparison._asdict(), "against": outcome.against, "verdict": outcome.verdict}
            if outcome.finding is not None:
                entry |= _numbers(outcome.finding) | {"remark": outcome.remark}
            comparisons.append(entry)
        claim = {key: getattr(result.claim, key) for key in ("id", "sentence", "source", "study", "needs", "note")}
        entry = claim | {"base": result.base, "verdict": result.verdict, "preset": result.preset, "q": result.q}
        entry["comparisons"] = comparisons
        entry["section"] = f"report.md#{anchor(result.claim.study, result.base)}"
        if result.verdict == NOT_RUN:
            entry["command"] = command(result)
        if result.verdict == NOT_MEASURED:
            entry["reason"] = result.claim.not_measured
        entries.append(entry)
    return entries
