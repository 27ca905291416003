"""The page of a comparison: the verdicts first, then what they rest on. Also its plain data, compare.json."""

import json
import math
import os
import pathlib
from typing import NamedTuple

from experiments.compare import charts, sequential
from experiments.compare.arms import Arm, changes
from experiments.compare.prior import Prior
from experiments.compare.sequential import UNDECIDED, ArmLook, Rule
from experiments.compare.workdir import INTERVALS, data_of, finite
from experiments.reporting import curves, html
from experiments.reporting.document import Cell, Chart, Charts, Heading, Paragraph, Picture, Pictures, Table
from experiments.reporting.formats import format_difference, format_interval, format_value, p_text
from experiments.reporting.measures import METRICS
from experiments.reporting.results import Study
from experiments.reporting.statistics import over_seeds
from gan_jax.runs.workdir import Workdir
from gan_jax.system import files

_KINDS = {"better": "good", "worse": "bad", "fails": "bad"}


def _kind(verdict: str) -> str:
    return next((kind for word, kind in _KINDS.items() if verdict.startswith(word)), "open")


def sentence(name: str, look: ArmLook, rule: Rule) -> str:
    """One arm's verdict for a reader who has not read anything else."""
    metric = METRICS[rule.score]
    seeds = f"{look.seeds[0]} seeds against {look.seeds[1]} of the base"
    if look.verdict == sequential.FAILS:
        lost = f"{look.failures[0]} lost runs ({seeds}, p {p_text(look.failure_p)})"
        return f"{name} fails more often than the base: {lost}."
    words = {UNDECIDED: "is undecided", sequential.EQUAL: "makes no difference larger than the margin"}
    statement = words.get(look.verdict, f"is {look.verdict.replace(',', ' than the base,', 1)}")
    if look.verdict in (sequential.BETTER, sequential.WORSE):
        statement += " than the base"
    size = f"{format_difference(look.difference, metric)}, interval {format_interval(look.interval, metric)}"
    text = f"{name} {statement}: {metric.label} {size} ({seeds})."
    if all(2 * lost > number for lost, number in zip(look.failures, look.seeds, strict=True)):
        text += " Most runs of both are at chance or without variety, so this says little about runs that work."
    return text


def verdict_table(rule: Rule, looks: list[dict[str, ArmLook]]) -> Table:
    """One row for each arm, with the seeds that an undecided one would probably need."""
    metric, rows = METRICS[rule.score], []
    for name, look in looks[-1].items():
        needed = "-"
        if look.verdict == UNDECIDED:
            further = sequential.seeds_to_decide(rule, len(looks), look) - look.seeds[0]
            needed = f"about {further} more"
        rows.append(
            (
                name,
                Cell(look.verdict, _kind(look.verdict)),
                format_difference(look.difference, metric),
                format_interval(look.interval, metric),
                "{} and {}".format(*look.seeds),
                "{} and {}".format(*look.failures),
                p_text(look.failure_p),
                needed,
            )
        )
    unit = "factor" if metric.scale == "log" else "difference"
    head = ("arm", "verdict", f"{metric.label}: {unit}", "interval", "seeds", "lost runs", "p of the failures")
    return Table("Each arm against the base", (*head, "seeds to decide"), rows)


def _margin_text(rule: Rule) -> str:
    metric = METRICS[rule.score]
    if metric.scale == "log":
        return f"a factor of {math.exp(rule.margin):.3g} in {metric.label}"
    return f"{100 * rule.margin:.3g} points of {metric.label}" if metric.kind == "share" else f"{rule.margin:g}"


def _rule_paragraph(rule: Rule, num_looks: int) -> Paragraph:
    text = (
        f"The score is {METRICS[rule.score].label}, the margin {_margin_text(rule)}, and the error rate of the whole "
        f"comparison is {rule.error_rate:.0%}"
    )
    if rule.one_look:
        text += " for this one look. Looking again with more runs would be a second chance to be wrong."
    else:
        text += (
            ", however often one looks or adds seeds; all this was fixed before the first run. "
            f"{num_looks} looks were taken; each of the first {sequential.EVEN_LOOKS} spends 1 / "
            f"{sequential.EVEN_LOOKS + 1} of the error rate."
        )
    return Paragraph(
        f"{text} The intervals of all arms of a look hold together. Statements about the margin are one-sided, so they "
        "need a narrower interval than the one that is shown.",
        "quiet",
    )


def _prior_paragraph(comparison: "Comparison") -> Paragraph:
    """Where the variance of a seed comes from."""
    if not comparison.prior.cells:
        return Paragraph("How much a seed moves the score is estimated from these runs alone.", "quiet")
    known = comparison.prior.describe()
    text = f"How much a seed moves the score is estimated from these runs and from {known['programs']} programs of "
    text += f"earlier records in {', '.join(known['sources'])} (standard deviation {known['sd']:.3g})."
    if not comparison.prior.fitting(data_of(comparison.study, comparison.rule.score)):
        text += " At the last look the earlier records were left out, because these runs differ more from each other."
    return Paragraph(text, "quiet")


def _grids(runs: dict[str, pathlib.Path], path: pathlib.Path) -> Pictures | None:
    """The last samples of one run of each arm. With equal seeds they are from the same z and labels."""
    grids = [(name, Workdir(str(run)).last_grid()) for name, run in runs.items()]
    address = lambda grid: pathlib.Path(os.path.relpath(grid, path)).as_posix()  # noqa: E731
    shown = [Picture(name, grid.read_bytes(), address(grid)) for name, grid in grids if grid]
    return Pictures("The last samples of the first run of each arm.", shown) if shown else None


def _cost_table(study: Study, arms: list[Arm]) -> Table:
    rows = []
    for arm in arms:
        runs = study.arms[arm.name].runs.values()
        seconds = over_seeds([run.seconds for run in runs if run.seconds])
        total = sum(run.seconds or 0 for run in runs)
        failed = [
            f"seed {seed}: {run.reason or run.status}" for seed, run in study.arms[arm.name].runs.items() if run.failed
        ]
        rows.append(
            (
                arm.name,
                str(len(runs)),
                format_value(seconds.mean, "seconds"),
                f"{total / 60:.0f}",
                "; ".join(failed) or "-",
            )
        )
    return Table("What it cost", ("arm", "runs", "seconds a run", "minutes in all", "failed"), rows)


class Comparison(NamedTuple):
    """Everything that the page shows. runs: arm -> the workdir of its first run; path: the folder of the page."""

    rule: Rule
    prior: Prior
    arms: list[Arm]
    looks: list[dict[str, ArmLook]]
    study: Study
    runs: dict[str, pathlib.Path]
    path: pathlib.Path


def blocks(comparison: Comparison) -> list:
    """The page as blocks."""
    rule, _, arms, looks, study, runs, path = comparison
    last, base = looks[-1], arms[0]
    document = [Heading(1, f"Did the change matter? {base.typed}")]
    document += [Paragraph(sentence(name, look, rule)) for name, look in last.items()]
    document += [verdict_table(rule, looks), _rule_paragraph(rule, len(looks)), _prior_paragraph(comparison)]
    document += [
        Heading(2, "Every seed"),
        Charts([], [Chart("a dot is a seed; a bar is the mean", charts.dots(study, rule))]),
    ]
    narrowing = [
        Chart(f"{name}: the interval at each look", charts.narrowing(rule, looks, name, i))
        for i, name in enumerate(last)
    ]
    document += [Heading(2, "The interval as it narrowed"), Charts([], narrowing)]
    document += [Heading(2, "Curves"), *filter(None, [curves.charts(study)])]
    document += [Heading(2, "Samples"), *filter(None, [_grids(runs, path)])]
    document += [Heading(2, "What was changed")]
    for arm in arms[1:]:
        rows = changes(base, arm)
        document.append(Table(arm.name, ("setting", "base", "arm"), rows))
    document += [Heading(2, "Cost and failures"), _cost_table(study, arms)]
    origin = study.provenance
    versions = ", ".join(f"{name} {version}" for name, version in sorted((origin.get("versions") or {}).items()))
    data = (origin.get("data") or {}).get("used", "unknown")
    document.append(Paragraph(f"Data {data}; commit {origin.get('commit', 'unknown')}; {versions}.", "quiet"))
    return document


def as_data(comparison: Comparison) -> dict:
    """The content of compare.json. Differences and bounds are on the scale of the analysis; null is infinite."""
    rule, prior, arms, looks, study, _, _ = comparison
    return {
        "rule": {**rule._asdict(), "scale": METRICS[rule.score].scale},
        "prior": prior.describe(),
        "base": arms[0].typed,
        "looks": len(looks),
        "arms": [
            {
                "name": arm.name,
                "typed": arm.typed,
                "changes": {leaf: [before, after] for leaf, before, after in changes(arms[0], arm)},
                **looks[-1][arm.name]._asdict(),
                **{name: finite(getattr(looks[-1][arm.name], name)) for name in INTERVALS},
            }
            for arm in arms[1:]
        ],
        "provenance": study.provenance,
    }


def write(comparison: Comparison) -> pathlib.Path:
    """Writes compare.html and compare.json; returns the path of the page."""
    path = comparison.path
    path.mkdir(parents=True, exist_ok=True)
    files.write_text(path / "compare.json", json.dumps(as_data(comparison), indent=2) + "\n")
    files.write_text(path / "compare.html", html.page("Did the change matter?", blocks(comparison)))
    return path / "compare.html"
