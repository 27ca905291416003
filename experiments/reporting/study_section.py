"""A study's section: its tables, curves and sample grids."""

import collections
import math
import os
import pathlib
import re

from experiments.reporting import curves, measures
from experiments.reporting.document import Cell, Heading, Paragraph, Picture, Pictures, Table
from experiments.reporting.families import scored
from experiments.reporting.findings import Contrast, Finding, state
from experiments.reporting.formats import format_difference, format_interval, format_value, p_text
from experiments.reporting.measures import METRICS
from experiments.reporting.results import Arm, Study
from experiments.reporting.statistics import over_seeds

QUICK = "Quick preset: short runs that only show that everything works. Draw no conclusions from them."
SHORT = {"frechet_distance": "Frechet distance", "conditional_accuracy": "conditional accuracy"}
_PNG = b"\x89PNG\r\n\x1a\n"


def _title(study: Study, arm: str) -> str:
    return f"{arm} (baseline)" if arm == study.baseline else arm


def _completed(study: Study, arm: Arm) -> str:
    return f"{sum(run.completed for run in arm.runs.values())} of {study.planned(arm)}"


def scores_table(study: Study) -> Table:
    """Mean and standard deviation of each score at the last step."""
    names = scored(study)
    head = ["arm", "seeds completed"]
    for name in names:
        head += [f"{SHORT[name]}, mean", "sd"]
    rows = []
    for arm in study.arms.values():
        cells = [_title(study, arm.name), _completed(study, arm)]
        for name in names:
            mean = over_seeds(list(measures.values(study, arm.name, name).values()))
            cells += [format_value(number, METRICS[name].kind) for number in (mean.mean, mean.sd)]
        rows.append(tuple(cells))
    real = {name: study.protocol.get(f"{name}_real") for name in names}
    if any(isinstance(value, float) for value in real.values()):
        # Until version 2 of the scores, those of real images were of training images.
        is_held_out = study.protocol.get("scores_version", 1) > 1
        cells = ["held-out real images" if is_held_out else "real training images", "-"]
        for name, value in real.items():
            cells += [format_value(value if isinstance(value, float) else None, METRICS[name].kind), "-"]
        rows.append(tuple(cells))
    return Table("Scores at the last step, over seeds", tuple(head), rows)


def differences_table(study: Study, findings: dict[Contrast, Finding]) -> Table:
    """Every arm against the baseline, with the corrections for the whole family."""
    names = scored(study)
    head = ["arm"]
    for name in names:
        unit = "difference in points" if METRICS[name].kind == "share" else "factor"
        head += [f"{SHORT[name]}: {unit}", "simultaneous interval", "seeds", "p", "p (family)", "result"]
    head += ["failed or degenerate", "p (family)"]
    rows = []
    for arm in study.arms:
        if arm == study.baseline:
            continue
        cells = [arm]
        for name in names:
            cells += _comparison_cells(findings.get(Contrast(arm, study.baseline, name)))
        lost = findings.get(Contrast(arm, study.baseline, "lost_runs"))
        cells += [_lost(study, arm), Cell(p_text(lost.p if lost else None), "bad" if lost and lost.is_higher else "")]
        rows.append(tuple(cells))
    return Table(f"Difference from the baseline, {study.baseline}", tuple(head), rows)


def _comparison_cells(finding: Finding | None) -> list:
    """Difference, interval, seeds of both arms, p, corrected p, and the strongest statement."""
    if finding is None or finding.one_program:
        return ["-", "-", "-", "-", "-", state(finding)]
    estimate, metric = finding.estimate, finding.metric
    better = finding.is_lower == (finding.contrast.metric == "frechet_distance")
    kind = ("good" if better else "bad") if finding.decided else ""
    return [
        Cell(format_difference(estimate.difference, metric), kind),
        format_interval(finding.interval, metric),
        "{} and {}".format(*estimate.n),
        p_text(estimate.p_value),
        Cell(p_text(finding.p), kind),
        state(finding),
    ]


def _lost(study: Study, arm: str) -> str:
    lost = list(measures.values(study, arm, "lost_runs").values())
    return f"{sum(lost):.0f} of {len(lost)}"


def failures(study: Study, arm: Arm) -> str:
    """The number of failed seeds, the number of seeds that ended, and the kinds of failure."""
    ended = [run for run in arm.runs.values() if run.completed or run.failed]
    kinds = collections.Counter(run.status for run in ended if run.failed)
    named = f" ({', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))})" if kinds else ""
    return f"{sum(kinds.values())} of {len(ended)}{named}"


def _mean_of(records: list[dict], name: str) -> float | None:
    values = [record[name] for record in records if name in record]
    return sum(values) / len(values) if values else None


def course_table(study: Study) -> Table:
    """Failures, scores of the last and of the best step, steps to the threshold, and time."""
    names = scored(study)
    head = ["arm", "failed", "degenerate"]
    for name in names:
        head += [f"{SHORT[name]}: last", "best by validation"]
    rows = []
    for arm in study.arms.values():
        done = [run for run in arm.runs.values() if run.completed]
        cells = [
            _title(study, arm.name),
            failures(study, arm),
            f"{sum(bool(measures.degenerate(run, measures.context(study))) for run in done)} of {len(done)}",
        ]
        for name in names:
            kind = METRICS[name].kind
            cells += [
                format_value(_mean_of([getattr(run, at) for run in done], name), kind) for at in ("final", "best")
            ]
        cells += [format_value(_mean_of([run.best for run in done], "step"), "steps"), _steps(study, arm.name)]
        seconds = over_seeds([run.seconds for run in done if run.seconds is not None])
        cells += [format_value(seconds.mean, "seconds"), format_value(seconds.sd, "seconds")]
        rows.append(tuple(cells))
    tail = ["best at step", "steps to the threshold", "seconds", "sd of seconds"]
    return Table("The course of training, means over completed seeds", (*head, *tail), rows)


def _steps(study: Study, arm: str) -> str:
    by_seed = list(measures.values(study, arm, "steps_to_threshold").values())
    reached = [steps for steps in by_seed if math.isfinite(steps)]
    if not by_seed:
        return "-"
    if not reached:
        return f"never (0 of {len(by_seed)})"
    return f"{sum(reached) / len(reached):.0f} ({len(reached)} of {len(by_seed)})"


def _note(study: Study) -> str:
    """A sentence with the protocol and the origin of the numbers."""
    protocol = "; ".join(f"{key} {_short(value)}" for key, value in sorted(study.protocol.items()))
    origin = "; ".join(f"{key} {_short(value)}" for key, value in sorted(study.provenance.items()))
    return f"Preset {study.preset}, {study.steps} steps, {study.seeds} seeds. Protocol: {protocol}. Origin: {origin}."


def _short(value) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_short(item)}" for key, item in sorted(value.items())) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _failed_note(study: Study) -> Paragraph | None:
    reasons = [
        f"{arm.name}, seed {seed}: {run.reason or run.status}"
        for arm in study.arms.values()
        for seed, run in arm.runs.items()
        if run.failed
    ]
    if not reasons:
        return None
    shown = "; ".join(reasons[:6]) + (f"; and {len(reasons) - 6} more" if len(reasons) > 6 else "")
    return Paragraph(
        f"Failed seeds are left out of scores: means and differences are over completed seeds only. {shown}.", "quiet"
    )


def _pictures(study: Study, folder: pathlib.Path, output: pathlib.Path) -> Pictures | None:
    """The arms' sample grids. An arm without a valid hash, or without a PNG file, is skipped."""
    pictures = []
    for arm in study.arms.values():
        path = folder / "grids" / f"{arm.hash}-seed0.png"
        if not re.fullmatch(r"[A-Za-z0-9]+", arm.hash) or not path.is_file():
            continue
        if (png := path.read_bytes()).startswith(_PNG):
            address = pathlib.Path(os.path.relpath(path, output)).as_posix()
            pictures.append(Picture(_title(study, arm.name), png, address))
    return Pictures("The last samples of seed 0, the same z and labels in every arm.", pictures) if pictures else None


def section(study: Study, findings: dict[Contrast, Finding], folder: pathlib.Path, output: pathlib.Path) -> list:
    """The blocks of one study on one base. `folder` has the result files; the report is written to `output`."""
    threshold = measures.threshold(study)
    missing = max((study.planned(arm) - len(arm.runs) for arm in study.arms.values()), default=0)
    blocks = [
        Heading(3, f"{study.name} on {study.base}", study.anchor),
        Paragraph(study.question),
        Paragraph(QUICK, "caution") if study.preset == "quick" else None,
        Paragraph(f"Not finished: up to {missing} seeds of an arm are missing.", "caution") if missing else None,
        scores_table(study),
        differences_table(study, findings) if study.baseline in study.arms else None,
        None if study.baseline in study.arms else Paragraph(f"The baseline, {study.baseline}, is missing.", "caution"),
        course_table(study),
        Paragraph(f"Threshold: {threshold.text}.", "quiet") if threshold else None,
        _failed_note(study),
        curves.charts(study),
        _pictures(study, folder, output),
        Paragraph(_note(study), "quiet"),
    ]
    return [block for block in blocks if block is not None]
