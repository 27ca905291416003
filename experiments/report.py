"""Writes one report of all ablation studies, as a page to open in a browser and as Markdown.

python -m experiments.report [--input experiments/results/ablations] [--output experiments/results/ablations]
"""

import argparse
import collections
import pathlib
import sys

if not __package__:  # Started as a file: python experiments/report.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from experiments.reporting import claims_section, html, markdown, overview, study_section
from experiments.reporting.claims_list import CLAIMS
from experiments.reporting.document import Heading, Paragraph
from experiments.reporting.families import find
from experiments.reporting.results import Study, read
from experiments.reporting.verdicts import contrasts_of_claims, evaluate_claims
from gan_jax import cli
from gan_jax.system import files
from gan_jax.system.errors import UserError

TITLE = "Ablation studies: what one change does"
RESULTS = "experiments/results/ablations"


def _introduction(studies: list[Study]) -> list:
    quick = [study for study in studies if study.preset == "quick"]
    arms = sum(len(study.arms) for study in studies)
    seeds = sum(len(arm.runs) for study in studies for arm in study.arms.values())
    blocks = [
        Heading(1, TITLE),
        Paragraph(
            f"{len(studies)} studies and bases, {arms} arms, {seeds} trainings. Written by python -m "
            "experiments.report from the result files beside this page. Each base has its own part"
            + (
                ": the tutorial's system is weak, and a conclusion about it need not be true for a system that works."
                if any(study.base == "tutorial" for study in studies)
                else "."
            )
        ),
    ]
    if quick:
        some = "All of this comes" if len(quick) == len(studies) else f"{len(quick)} of {len(studies)} come"
        blocks.append(Paragraph(f"{some} from the quick preset. {study_section.QUICK}", "caution"))
    return blocks


def document(studies: list[Study], folder: pathlib.Path, output: pathlib.Path) -> list:
    """The report as blocks. Grids are read from `folder`; their addresses are relative to `output`."""
    findings = find(studies, contrasts_of_claims(CLAIMS, studies))
    blocks = [*_introduction(studies), *overview.summary(studies, findings), *overview.homogeneity(studies)]
    blocks += overview.where_bases_differ(studies, findings)
    if {claim.study for claim in CLAIMS} & {study.name for study in studies}:
        blocks += claims_section.section(evaluate_claims(CLAIMS, studies, findings), studies)
    blocks += overview.method()
    by_base = collections.defaultdict(list)
    for study in studies:
        by_base[study.base].append(study)
    for base, group in by_base.items():
        blocks.append(Heading(2, f"Studies on base: {base}"))
        for study in group:
            blocks += study_section.section(study, findings[study.title], folder, output)
    return blocks


def write(path: pathlib.Path, text: str) -> None:
    """Writes a file of results; UserError if the file cannot be written."""
    with files.writing(f"--output: {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.report", description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", default=RESULTS, help="folder of <study>@<base>.json and grids/")
    parser.add_argument("--output", default=RESULTS, help="folder of report.html and report.md")
    arguments = parser.parse_args()
    folder, output = pathlib.Path(arguments.input), pathlib.Path(arguments.output)
    studies = read(folder)
    if not studies:
        raise UserError(f"--input={folder} has no <study>@<base>.json; python -m experiments.ablations writes them")
    blocks = document(studies, folder, output)
    write(output / "report.html", html.page(TITLE, blocks))
    write(output / "report.md", markdown.page(blocks))
    print(f"{len(studies)} studies in {output / 'report.html'} (open it in a browser) and {output / 'report.md'}")


if __name__ == "__main__":
    cli.execute(main)
