"""The top of the report: the arm with the largest effect in every study, and differences between bases."""

import collections
import math

import numpy as np

from experiments.reporting import measures
from experiments.reporting.document import Cell, Heading, Items, Paragraph, Table
from experiments.reporting.families import Findings, Models
from experiments.reporting.findings import Contrast, Finding, state
from experiments.reporting.formats import format_difference, format_interval
from experiments.reporting.programs import find_programs
from experiments.reporting.results import Study

METRIC = "frechet_distance"
METHOD = (
    "A seed is one training. Means and standard deviations (sd, n - 1) are over the seeds that completed.",
    "Distances are compared on the log scale, so a difference is a factor: x1.10 is ten per cent higher. Accuracies "
    "are compared in points. All arms of a machine have one variance, estimated from all of them; arms whose variance "
    "differs (F test, Holm) leave the pool and use their own (Welch). Seeds are not paired: equal seeds of two arms "
    "are not correlated. An arm that was trained on two machines is compared on each, and the differences are "
    "averaged.",
    "p (family) and the simultaneous intervals are corrected for all comparisons of one study on one base: every arm "
    "in every score, and every comparison that a claim needs (single-step max-|t|, as Dunnett's test). Failures are "
    "an outcome of their own: Fisher's exact test, corrected for the tests that can be significant (Tarone).",
    "A difference is decided if p (family) is under 0.05. It may be decided and smaller than the margin. If the "
    "interval lies inside the margin on both sides, there is no difference as large as the margin. Undecided is not "
    "equal.",
    "Failed: collapsed, diverged or crashed; earlier scores of such a seed are left out. Degenerate: completed, but "
    "with a conditional accuracy of at most twice that of guessing, or with precision or recall under 1%. An arm "
    "without labels is at chance by design.",
    "Last: the scores of the last step, on the test split. Best by validation: the scores of the step with the lowest "
    "Frechet distance to held-out training images. The Frechet distance is computed in a small classifier's features "
    "and is not FID; lower is closer to real images. Accuracies are higher for better samples; their differences are "
    "in points.",
    "Curves: a line is the mean over completed seeds; its band goes from the lowest to the highest seed. The runner "
    "stores means over hundredths of a run, so neither the curves nor the measured oscillation show faster changes. "
    "Extreme values may be outside a panel. A run is scored about ten times; the step at which it reaches the "
    "threshold is interpolated. Seconds are wall time of machines that other programs used too: they have no p-value.",
)


def _moved(finding: Finding) -> Cell:
    """The arm, its difference from the baseline, and whether the difference is more than noise."""
    kind = ("good" if finding.is_lower else "bad") if finding.decided else "open"
    bounds = f" ({format_interval(finding.interval, finding.metric)})" if finding.interval else ""
    difference = format_difference(finding.estimate.difference, finding.metric)
    return Cell(f"{finding.contrast.arm} {difference}{bounds}: {state(finding)}", kind)


def _against_baseline(study: Study, findings: dict[Contrast, Finding]) -> list[Finding]:
    """The arms' Frechet distances against the baseline, without those that have no number."""
    contrasts = [Contrast(arm, study.baseline, METRIC) for arm in study.arms]
    known = [findings[contrast] for contrast in contrasts if contrast in findings]
    return [finding for finding in known if finding.estimate.difference is not None]


def _row(study: Study, findings: dict[Contrast, Finding]) -> tuple:
    differences = _against_baseline(study, findings)
    most = max(differences, key=lambda finding: abs(finding.estimate.difference), default=None)
    lowered = min(differences, key=lambda finding: finding.estimate.difference, default=None)
    if lowered is None:
        moved = [Cell("no arm has a distance to compare", "open"), "-"]
    elif lowered.estimate.difference >= 0:
        moved = [_moved(most), Cell("no arm lowered it", "open")]
    else:
        moved = [_moved(most), "the same arm" if lowered is most else _moved(lowered)]
    decided = f"{sum(finding.decided for finding in differences)} of {len(differences)}"
    lost = [arm for arm in study.arms if any(measures.values(study, arm, "lost_runs").values())]
    name = study.name + (" (quick)" if study.preset == "quick" else "")
    return (Cell(name, target=study.anchor), study.baseline, decided, *moved, ", ".join(lost) or "-")


def _versions(studies: list[Study]) -> list[Paragraph]:
    """A sentence if the studies' scores are of several versions (gan_jax/runs/protocol.py)."""
    by_version = collections.defaultdict(list)
    for study in studies:
        by_version[study.protocol.get("scores_version", 1)].append(f"{study.name} on {study.base}")
    if len(by_version) < 2:
        return []
    named = "; ".join(f"version {version}: {', '.join(names)}" for version, names in sorted(by_version.items()))
    return [
        Paragraph(f"Numbers of these studies do not compare, because the versions of their scores differ: {named}.")
    ]


def summary(studies: list[Study], findings: Findings) -> list:
    """One table for each base: the arm that moved the Frechet distance most, and the one that lowered it most."""
    by_base = collections.defaultdict(list)
    for study in studies:
        by_base[study.base].append(study)
    head = ("study", "baseline", "arms decided", "moved it most: factor (simultaneous interval)")
    head += ("lowered it most: factor (simultaneous interval)", "arms with failed or degenerate seeds")
    blocks = [
        Heading(2, "Summary"),
        Paragraph(
            "The final Frechet distance of an arm, divided by that of the study's baseline: under 1 is closer to real "
            "images. The table names no winner: it only has what the seeds support."
        ),
        *_versions(studies),
    ]
    for base, group in by_base.items():
        blocks.append(Table(f"Base: {base}", head, [_row(study, findings[study.title]) for study in group]))
    return blocks


def homogeneity(studies: list[Study]) -> list:
    """The variance of the Frechet distance of each machine, and the programs that have another one."""
    programs, names = find_programs(studies), collections.defaultdict(list)
    for (title, arm), program in programs.program_of.items():
        names[program].append(f"{title}:{arm}")
    rows = []
    for base in dict.fromkeys(study.base for study in studies):
        first = next(study for study in studies if study.base == base)
        model, _ = Models(programs).of(METRIC, measures.context(first), base)
        for number, (block, of_block) in enumerate(model.pools.items(), 1):
            origin = f"{base}, machine {number} (commit {block.commit[:12]})"
            if of_block is None:
                rows.append((origin, "-", "-", "-", "-", "-"))
                continue
            own_sd = lambda cell: float(np.std(model.cells[cell], ddof=1))  # noqa: B023, E731
            listed = lambda cells: ", ".join(f"{names[c[1]][0]} ({own_sd(c):.2f})" for c in cells) or "-"  # noqa: E731
            unstable = sorted((c for c, u in of_block.unstable.items() if u > 0.5), key=own_sd, reverse=True)
            sds = (math.sqrt(v) for v in (of_block.variance, of_block.unstable_variance))
            rows.append((origin, *(f"{sd:.3f}" for sd in sds), f"{of_block.share:.1%}"))
            rows[-1] += (listed(unstable), listed(of_block.frozen))
    head = ("base and machine", "sd", "sd of unstable programs", "share of unstable programs")
    head += ("probably unstable (own sd)", "frozen (own sd)")
    return [
        Heading(2, "The noise of a seed"),
        Paragraph(
            "Standard deviation (sd) of the logarithm of the final Frechet distance over seeds: 0.07 means that one "
            "seed is about 7% from another's mean. Unstable programs have a larger sd, frozen ones a smaller one."
        ),
        Table("The variance of each machine", head, rows),
    ]


def _state(finding: Finding | None) -> str:
    if finding is None or finding.estimate.difference is None:
        return "no number"
    return "undecided" if not finding.decided else "lower" if finding.is_lower else "higher"


def _contrasts(first: Study, other_bases: list[Study], findings: Findings) -> tuple[list[tuple], int]:
    """Rows of the arms with different states on different bases, and the number of arms with the same state on all.

    On every base an arm is compared with the baseline of the first base.
    """
    rows, agree, reference = [], 0, first.baseline
    for arm in first.arms:
        if arm == reference:
            continue
        contrast = Contrast(arm, reference, METRIC)
        by_base = {study.base: findings[study.title].get(contrast) for study in (first, *other_bases)}
        states = {base: _state(finding) for base, finding in by_base.items()}
        known = {text for text in states.values() if text in ("lower", "higher")}
        if not known or set(states.values()) == known and len(known) == 1:
            agree += bool(known)
            continue
        cells = []
        for base, finding in by_base.items():
            difference = format_difference(finding.estimate.difference, finding.metric) if finding else "-"
            cells.append(f"{base}: {states[base]} ({difference})")
        bases = ", ".join(base for base, text in states.items() if text in known)
        summary_text = "opposite ways" if len(known) == 2 else f"decided on {bases} only"
        rows.append((Cell(first.name, target=first.anchor), f"{arm} to {reference}", "; ".join(cells), summary_text))
    return rows, agree


def where_bases_differ(studies: list[Study], findings: Findings) -> list:
    """Differences that are decided on one base and not on another, or that have opposite signs on two bases."""
    by_name = collections.defaultdict(list)
    for study in studies:
        by_name[study.name].append(study)
    several = [group for group in by_name.values() if len(group) > 1]
    rows, agree = [], 0
    for first, *other_bases in several:
        differing, same = _contrasts(first, other_bases, findings)
        rows, agree = rows + differing, agree + same
    blocks = [
        Heading(2, "Where a conclusion holds on one base only"),
        Paragraph(
            "The same two arms on every base of a study: factor of the final Frechet distance, decided if p (family) "
            "is under 0.05. On every base, the reference is the first base's baseline, even if another arm is the "
            "baseline there. Undecided does not mean equal."
        ),
    ]
    if not several:
        return [*blocks, Paragraph("No study has been run on two bases yet.")]
    blocks.append(
        Paragraph(f"{agree} differences are decided the same way on all bases of their study; {len(rows)} are not.")
    )
    head = ("study", "arms", "on each base", "result")
    return [*blocks, Table("Decided on one base, or opposite", head, rows)] if rows else blocks


def method() -> list:
    return [Heading(2, "How to read this"), Items(list(METHOD))]
