"""Verdicts as tables, and as plain data."""

import collections

from experiments.reporting.document import Cell, Heading, Paragraph, Table
from experiments.reporting.measures import METRICS, interval, written
from experiments.reporting.results import Study, anchor
from experiments.reporting.study_section import p_text
from experiments.reporting.verdicts import NOT_MEASURED, NOT_RUN, REFUTED, SUPPORTED, Judged, Outcome

_LOOKS = {SUPPORTED: "good", REFUTED: "bad"}
_SIGNS = {"lower": "<", "higher": ">", "same": "about", "no_lower": "not <", "no_higher": "not >"}
RULE = (
    "Rule: each comparison is a paired t test over common seeds (McNemar's exact test for rates). All comparisons of "
    "all claims on one study and base are a family: p is corrected by Holm, intervals are simultaneous (95% for the "
    "whole family, Bonferroni). p under 0.05 in the claimed direction supports, the other way it refutes, and so does "
    "an interval that leaves no room for an effect as large as the metric's margin. Claims of likeness or of no effect "
    "need an interval within the margin. Everything else is undecided at the given n. A claim of several comparisons "
    "is supported by all of them and refuted by one; one that says any, the other way round. A verdict is undecided "
    "where failed seeds, which are left out, would speak against it, where an arm is steady or fast and most of its "
    "runs are degenerate, and where an arm looks faster because its runs ended before they reached the threshold."
)


def _margins() -> str:
    """The margin of every metric in words."""
    parts = []
    for metric in METRICS.values():
        size = f"{metric.margin:.0%} of the other arm's mean" if metric.relative else f"{metric.margin:g}"
        if metric.kind == "share":
            size = f"{100 * metric.margin:g} points"
        parts.append(f"{metric.label}: {size}")
    return f"Margins. {'; '.join(parts)}."


def command(judged: Judged) -> str:
    return f"python -m experiments.ablations --preset full --studies {judged.claim.study} --bases {judged.base}"


def figure(outcome: Outcome) -> str:
    """One comparison in words: arms, metric, difference, interval, n, p, and what its number hides."""
    one, metric = outcome.comparison, METRICS[outcome.comparison.metric]
    arms = f"{one.arm} {_SIGNS[one.direction]} {outcome.against}"
    if one.controls:
        arms = f"({one.arm} - {one.controls[0]}) {_SIGNS[one.direction]} ({outcome.against} - {one.controls[1]})"
    if outcome.paired is None:
        return f"{arms}, {metric.label}: not run"
    paired, parts = outcome.paired, []
    if paired.n:
        unit = " points" if metric.kind == "share" else ""
        parts.append(f"{written(paired.difference, metric.kind, True)}{unit}")
        if paired.interval:
            parts.append(f"simultaneous interval {interval(paired.interval, metric.kind, True)}")
    parts.append(f"n = {paired.n}")
    if outcome.p_holm is not None:
        parts.append(f"p (Holm) {p_text(outcome.p_holm)}")
    if outcome.remark:
        parts.append(outcome.remark)
    return f"{arms}, {metric.label}: {', '.join(parts)}; {outcome.verdict}"


def _behind(judged: Judged) -> str:
    claim = judged.claim
    if judged.verdict == NOT_MEASURED:
        return claim.not_measured
    any_of = "Any of these: " if claim.needs == "any" and len(claim.comparisons) > 1 else ""
    text = any_of + ". ".join(figure(outcome) for outcome in judged.outcomes)
    return f"{text}. {claim.note}" if claim.note else text


def _verdict(judged: Judged) -> Cell:
    text = judged.verdict
    if judged.verdict == "undecided":
        counts = [outcome.paired.n for outcome in judged.outcomes if outcome.paired]
        text += f" at n = {min(counts)}" if counts else ""
    return Cell(text + (" (quick preset)" if judged.preset == "quick" else ""), _LOOKS.get(judged.verdict, "open"))


def _row(judged: Judged, written_up: set[str]) -> tuple:
    claim, target = judged.claim, anchor(judged.claim.study, judged.base)
    study = Cell(claim.study, target=target) if target in written_up else Cell(claim.study)
    return claim.sentence, _verdict(judged), study, _behind(judged), claim.source


def _by_base(judged: list[Judged]) -> dict[str, list[Judged]]:
    grouped = collections.defaultdict(list)
    for one in judged:
        grouped[one.base].append(one)
    return grouped


def _differing(judged: list[Judged]) -> Table | None:
    """Claims that are decided on one base only, or differently on two."""
    by_claim, rows = collections.defaultdict(dict), []
    for one in judged:
        by_claim[one.claim.sentence][one.base] = one.verdict
    for sentence, verdicts in by_claim.items():
        if len(set(verdicts.values())) > 1 and {SUPPORTED, REFUTED} & set(verdicts.values()):
            rows.append((sentence, "; ".join(f"{base}: {verdict}" for base, verdict in verdicts.items())))
    return Table("Claims with different verdicts on different bases", ("claim", "verdicts"), rows) if rows else None


def section(judged: list[Judged], studies: list[Study]) -> list:
    """The claims, base by base. A link leads to the study's section where there is one."""
    written_up, quick = {study.anchor for study in studies}, any(one.preset == "quick" for one in judged)
    blocks = [
        Heading(2, "What the tutorial concluded", "claims"),
        Paragraph(
            "Each conclusion rested on one run. Here it is a comparison over seeds, and what these seeds support."
        ),
        Paragraph(RULE, "quiet"),
        Paragraph(_margins(), "quiet"),
    ]
    if quick:
        blocks.append(Paragraph("Verdicts from the quick preset only show that the rule works.", "caution"))
    for base, group in _by_base(judged).items():
        counts = collections.Counter(one.verdict for one in group)
        caption = f"Base: {base} ({', '.join(f'{count} {verdict}' for verdict, count in counts.most_common())})"
        rows = [_row(one, written_up) for one in group if one.verdict != NOT_RUN]
        if rows:
            blocks.append(Table(caption, ("claim", "verdict", "study", "the figure behind it", "source"), rows))
        if to_run := [(one.claim.sentence, Cell(command(one), "code")) for one in group if one.verdict == NOT_RUN]:
            head = ("claim", "the command that runs it")
            blocks.append(Table(f"Base: {base}, not run or not with every arm that the claim needs", head, to_run))
    differing = _differing(judged)
    return [*blocks, differing] if differing else blocks


def as_data(judged: list[Judged]) -> list[dict]:
    """What claims.json holds: an entry for each claim and base."""
    entries = []
    for one in judged:
        comparisons = []
        for outcome in one.outcomes:
            entry = {**outcome.comparison._asdict(), "against": outcome.against, "verdict": outcome.verdict}
            if outcome.paired is not None:
                entry |= {**outcome.paired._asdict(), "p_holm": outcome.p_holm, "margin": outcome.margin}
                entry["remark"] = outcome.remark
            comparisons.append(entry)
        claim = {key: getattr(one.claim, key) for key in ("id", "sentence", "source", "study", "needs", "note")}
        entry = {**claim, "base": one.base, "verdict": one.verdict, "preset": one.preset, "comparisons": comparisons}
        entry["section"] = f"report.html#{anchor(one.claim.study, one.base)}"
        if one.verdict == NOT_RUN:
            entry["command"] = command(one)
        if one.verdict == NOT_MEASURED:
            entry["reason"] = one.claim.not_measured
        entries.append(entry)
    return entries
