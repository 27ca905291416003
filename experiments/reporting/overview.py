"""The top of the report: what moved the score most in every study, and where two bases disagree."""

import collections

from experiments.reporting.comparisons import Against, against, against_baseline, beats_noise, noise_floor, wording
from experiments.reporting.document import Cell, Heading, Items, Paragraph, Table
from experiments.reporting.measures import interval, written
from experiments.reporting.results import Study

METRIC = "frechet_distance"
METHOD = (
    "A seed is one training. Means, standard deviations (sd, n - 1) and 95% t intervals are over the seeds that "
    "completed; a t interval knows no bounds, so that of a share may pass 100%.",
    "An arm is compared with the baseline seed by seed: a paired t test, two-sided. p (Holm) is corrected for all arms "
    "and scores of one study on one base. g_z is the mean of the paired differences over their standard deviation "
    "(Cohen's d_z) times Hedges' correction for small samples; with two pairs it is not defined.",
    "The noise floor is the standard deviation of the baseline over its seeds. A difference is beyond the noise where "
    "p (Holm) is under 0.05 and the difference is larger than the floor.",
    "Failed: collapsed, diverged or crashed; what such a seed scored before is left out. Degenerate: completed, with a "
    "conditional accuracy of at most twice that of guessing, or with precision or recall under 1%. An arm without "
    "labels is at chance by design.",
    "Last: the scores of the last step, on the test split. Best by validation: those of the step with the lowest "
    "Frechet distance to held-out training images. The Frechet distance is in a small classifier's features and is not "
    "FID; lower is closer to real images. Accuracies are higher for better samples; their differences are in points.",
    "Curves: a line is the mean over completed seeds, its band reaches from the lowest to the highest. The runner "
    "keeps means over hundredths of a run, so what swings faster does not show, here or in the oscillation that claims "
    "speak of. Extreme values may lie outside a panel. Thresholds are reached at scored steps, of which a run has "
    "about ten. Seconds are wall time, beside whatever else the machine did.",
)


def _differences(study: Study) -> list[Against]:
    return [found for (_, metric), found in against_baseline(study).items() if metric == METRIC]


def _moved(found: Against, floor: float | None) -> Cell:
    """The arm, its difference, and what may be said."""
    paired, look = found.paired, "open"
    if beats_noise(found, floor):
        look = "good" if paired.difference < 0 else "bad"
    bounds = f" ({interval(paired.interval, 'score', True)})" if paired.interval else ""
    return Cell(f"{found.arm} {written(paired.difference, 'score', True)}{bounds}: {wording(found, floor)}", look)


def _row(study: Study) -> tuple:
    floor, differences = noise_floor(study), _differences(study)
    most = max(differences, key=lambda found: abs(found.paired.difference), default=None)
    lowered = min(differences, key=lambda found: found.paired.difference, default=None)
    if lowered is None:
        moved = [Cell("no arm shares a seed with the baseline", "open"), "-"]
    elif lowered.paired.difference >= 0:
        moved = [_moved(most, floor), Cell("no arm lowered it", "open")]
    else:
        moved = [_moved(most, floor), "the same arm" if lowered is most else _moved(lowered, floor)]
    lost = [arm.name for arm in study.arms.values() if any(run.failed for run in arm.runs.values())]
    name = study.name + (" (quick)" if study.preset == "quick" else "")
    return (Cell(name, target=study.anchor), study.baseline, written(floor, "score"), *moved, ", ".join(lost) or "-")


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
            "Final Frechet distance against each study's baseline; negative is closer to real images. No arm is called "
            "the winner: what is said is what the seeds support."
        ),
    ]
    for base, group in by_base.items():
        blocks.append(Table(f"Base: {base}", head, [_row(study) for study in group]))
    return blocks


def _state(found: Against | None) -> str:
    if found is None:
        return "no common seed"
    if not found.decided:
        return "undecided"
    return "lower" if found.paired.difference < 0 else "higher"


def _contrasts(first: Study, others: list[Study]) -> tuple[list[tuple], int]:
    """Rows of the arms whose state differs between bases, against the first one's baseline; and how many agree."""
    rows, agree, reference = [], 0, first.baseline
    tables = {study.base: against(study, reference) for study in (first, *others)}
    for arm in first.arms:
        if arm == reference:
            continue
        found = {base: table.get((arm, METRIC)) for base, table in tables.items()}
        states = {base: _state(one) for base, one in found.items()}
        known = {state for state in states.values() if state in ("lower", "higher")}
        if not known or set(states.values()) == known and len(known) == 1:
            agree += bool(known)
            continue
        cells = []
        for base, one in found.items():
            difference = written(one.paired.difference, "score", True) if one else "-"
            cells.append(f"{base}: {states[base]} ({difference})")
        bases = ", ".join(base for base, state in states.items() if state in known)
        reading = "opposite ways" if len(known) == 2 else f"decided on {bases} only"
        rows.append((Cell(first.name, target=first.anchor), f"{arm} minus {reference}", "; ".join(cells), reading))
    return rows, agree


def where_bases_differ(studies: list[Study]) -> list:
    """Differences that are decided on one base and not on another, or that point the other way there."""
    by_name = collections.defaultdict(list)
    for study in studies:
        by_name[study.name].append(study)
    several = [group for group in by_name.values() if len(group) > 1]
    rows, agree = [], 0
    for first, *others in several:
        more, same = _contrasts(first, others)
        rows, agree = rows + more, agree + same
    blocks = [
        Heading(2, "Where a conclusion holds on one base only"),
        Paragraph(
            "The same two arms on every base of a study: final Frechet distance, paired by seed, p (Holm) under 0.05 "
            "to be decided. Two arms are compared that both bases have, so on the second base the reference need not "
            "be its own baseline. Undecided is not equal."
        ),
    ]
    if not several:
        return [*blocks, Paragraph("No study has been run on two bases yet.")]
    blocks.append(
        Paragraph(f"{agree} differences are decided the same way on all bases of their study; {len(rows)} are not.")
    )
    head = ("study", "difference", "on each base", "reading")
    return [*blocks, Table("Decided on one base, or opposite", head, rows)] if rows else blocks


def method() -> list:
    return [Heading(2, "How to read this"), Items(list(METHOD))]
