"""The top of the report: the arm with the largest effect in every study, and differences between bases."""

import collections

from experiments.reporting.comparisons import Against, against, against_baseline, beats_noise, noise_floor, wording
from experiments.reporting.document import Cell, Heading, Items, Paragraph, Table
from experiments.reporting.measures import format_interval, format_value
from experiments.reporting.results import Study

METRIC = "frechet_distance"
METHOD = (
    "A seed is one training. Means, standard deviations (sd, n - 1) and 95% t intervals are over the seeds that "
    "completed. A t interval has no bounds, so the interval of a share may go above 100%.",
    "Every arm is compared with the baseline seed by seed: a paired t test, two-sided. p (Holm) is corrected for all "
    "arms and scores of one study on one base. g_z is the mean of the paired differences over their standard deviation "
    "(Cohen's d_z) times Hedges' correction for small samples; it needs at least three pairs.",
    "The noise floor is the standard deviation of the baseline over its seeds. A difference is beyond the noise if "
    "p (Holm) is under 0.05 and the difference is larger than the noise floor.",
    "Failed: collapsed, diverged or crashed; earlier scores of such a seed are left out. Degenerate: completed, but "
    "with a conditional accuracy of at most twice that of guessing, or with precision or recall under 1%. An arm "
    "without labels is at chance by design.",
    "Last: the scores of the last step, on the test split. Best by validation: the scores of the step with the lowest "
    "Frechet distance to held-out training images. The Frechet distance is computed in a small classifier's features "
    "and is not FID; lower is closer to real images. Accuracies are higher for better samples; their differences are "
    "in points.",
    "Curves: a line is the mean over completed seeds; its band goes from the lowest to the highest seed. The runner "
    "stores means over hundredths of a run, so neither the curves nor the measured oscillation show faster changes. "
    "Extreme values may be outside a panel. A run is scored about ten times, and the threshold can only be reached at "
    "a scored step. Seconds are wall time; other programs may have run at the same time.",
)


def _differences(study: Study) -> list[Against]:
    return [result for (_, metric), result in against_baseline(study).items() if metric == METRIC]


def _moved(result: Against, floor: float | None) -> Cell:
    """The arm, its difference from the baseline, and whether the difference is more than noise."""
    paired, kind = result.paired, "open"
    if beats_noise(result, floor):
        kind = "good" if paired.difference < 0 else "bad"
    bounds = f" ({format_interval(paired.interval, 'score', True)})" if paired.interval else ""
    difference = format_value(paired.difference, "score", True)
    return Cell(f"{result.arm} {difference}{bounds}: {wording(result, floor)}", kind)


def _row(study: Study) -> tuple:
    floor, differences = noise_floor(study), _differences(study)
    most = max(differences, key=lambda result: abs(result.paired.difference), default=None)
    lowered = min(differences, key=lambda result: result.paired.difference, default=None)
    if lowered is None:
        moved = [Cell("no arm shares a seed with the baseline", "open"), "-"]
    elif lowered.paired.difference >= 0:
        moved = [_moved(most, floor), Cell("no arm lowered it", "open")]
    else:
        moved = [_moved(most, floor), "the same arm" if lowered is most else _moved(lowered, floor)]
    lost = [arm.name for arm in study.arms.values() if any(run.failed for run in arm.runs.values())]
    name = study.name + (" (quick)" if study.preset == "quick" else "")
    return (
        Cell(name, target=study.anchor),
        study.baseline,
        format_value(floor, "score"),
        *moved,
        ", ".join(lost) or "-",
    )


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


def summary(studies: list[Study]) -> list:
    """One table for each base: the arm that moved the Frechet distance most, and the one that lowered it most."""
    by_base = collections.defaultdict(list)
    for study in studies:
        by_base[study.base].append(study)
    head = ("study", "baseline", "noise floor", "moved it most: difference (95% interval)")
    head += ("lowered it most: difference (95% interval)", "arms with failed seeds")
    blocks = [
        Heading(2, "Summary"),
        Paragraph(
            "Difference of the final Frechet distance from each study's baseline; a negative difference is closer to "
            "real images. The table names no winner: it only has what the seeds support."
        ),
        *_versions(studies),
    ]
    for base, group in by_base.items():
        blocks.append(Table(f"Base: {base}", head, [_row(study) for study in group]))
    return blocks


def _state(result: Against | None) -> str:
    if result is None:
        return "no common seed"
    if not result.decided:
        return "undecided"
    return "lower" if result.paired.difference < 0 else "higher"


def _contrasts(first: Study, other_bases: list[Study]) -> tuple[list[tuple], int]:
    """Rows of the arms with different states on different bases, and the number of arms with the same state on all.

    On every base an arm is compared with the baseline of the first base.
    """
    rows, agree, reference = [], 0, first.baseline
    tables = {study.base: against(study, reference) for study in (first, *other_bases)}
    for arm in first.arms:
        if arm == reference:
            continue
        by_base = {base: table.get((arm, METRIC)) for base, table in tables.items()}
        states = {base: _state(result) for base, result in by_base.items()}
        known = {state for state in states.values() if state in ("lower", "higher")}
        if not known or set(states.values()) == known and len(known) == 1:
            agree += bool(known)
            continue
        cells = []
        for base, result in by_base.items():
            difference = format_value(result.paired.difference, "score", True) if result else "-"
            cells.append(f"{base}: {states[base]} ({difference})")
        bases = ", ".join(base for base, state in states.items() if state in known)
        summary_text = "opposite ways" if len(known) == 2 else f"decided on {bases} only"
        rows.append((Cell(first.name, target=first.anchor), f"{arm} minus {reference}", "; ".join(cells), summary_text))
    return rows, agree


def where_bases_differ(studies: list[Study]) -> list:
    """Differences that are decided on one base and not on another, or that have opposite signs on two bases."""
    by_name = collections.defaultdict(list)
    for study in studies:
        by_name[study.name].append(study)
    several = [group for group in by_name.values() if len(group) > 1]
    rows, agree = [], 0
    for first, *other_bases in several:
        differing, same = _contrasts(first, other_bases)
        rows, agree = rows + differing, agree + same
    blocks = [
        Heading(2, "Where a conclusion holds on one base only"),
        Paragraph(
            "The same two arms on every base of a study: final Frechet distance, paired by seed, decided if p (Holm) "
            "is under 0.05. On every base, the reference is the first base's baseline, even if another arm is the "
            "baseline there. Undecided does not mean equal."
        ),
    ]
    if not several:
        return [*blocks, Paragraph("No study has been run on two bases yet.")]
    blocks.append(
        Paragraph(f"{agree} differences are decided the same way on all bases of their study; {len(rows)} are not.")
    )
    head = ("study", "difference", "on each base", "result")
    return [*blocks, Table("Decided on one base, or opposite", head, rows)] if rows else blocks


def method() -> list:
    return [Heading(2, "How to read this"), Items(list(METHOD))]
