"""Tests every conclusion of the common GAN tutorial on the result files; writes claims.json and claims.md.

python -m experiments.claims [--input experiments/results/ablations] [--output experiments/results/ablations]
"""

import argparse
import collections
import json
import pathlib
import sys

if not __package__:  # Started as a file: python experiments/claims.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from experiments.report import RESULTS, write
from experiments.reporting import claims_section, markdown, rule_change
from experiments.reporting.claims_list import CLAIMS
from experiments.reporting.families import find
from experiments.reporting.results import read
from experiments.reporting.verdicts import ClaimResult, contrasts_of_claims, evaluate_claims
from gan_jax import cli


def data(results: list[ClaimResult]) -> dict:
    """The content of claims.json."""
    return {"rule": claims_section.RULE, "claims": claims_section.as_data(results)}


def page(results: list[ClaimResult], folder: pathlib.Path) -> str:
    """The content of claims.md: without the links to the studies' sections, which only the report has."""
    return markdown.page(claims_section.section(results, []) + rule_change.section(results, folder))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.claims", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--input", default=RESULTS, help="folder of <study>@<base>.json; if there is none, no claim has been run"
    )
    parser.add_argument("--output", default=RESULTS, help="folder of claims.json and claims.md")
    arguments = parser.parse_args()
    folder, output = pathlib.Path(arguments.input), pathlib.Path(arguments.output)
    studies = read(folder) if folder.is_dir() or arguments.input != RESULTS else []
    findings = find(studies, contrasts_of_claims(CLAIMS, studies))
    results = evaluate_claims(CLAIMS, studies, findings)
    write(output / "claims.json", json.dumps(data(results), indent=2) + "\n")
    write(output / "claims.md", page(results, folder))
    counts = collections.Counter(result.verdict for result in results)
    print(f"{len(results)} claims: {', '.join(f'{n} {verdict}' for verdict, n in counts.most_common())}")
    print(f"{output / 'claims.json'} and {output / 'claims.md'}")


if __name__ == "__main__":
    cli.execute(main)
