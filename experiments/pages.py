"""Writes the pages whose numbers come from records: python -m experiments.pages

Each template NAME.in.md at the root, in experiments/ and in docs/ becomes NAME.md beside it.
experiments/reporting/references.py lists the references that a template may hold.
"""

import argparse
import pathlib
import sys

if not __package__:  # Started as a file: python experiments/pages.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from experiments.report import write
from experiments.reporting.references import References, page_of, templates
from gan_jax import cli


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.pages", description=__doc__, allow_abbrev=False)
    parser.parse_args()
    root, references = pathlib.Path(__file__).resolve().parents[1], References()
    # All are rendered before the first is written: a wrong reference leaves every page as it was.
    pages = {page_of(path): references.render(path.read_text(encoding="utf-8")) for path in templates(root)}
    for page, text in pages.items():
        write(page, text)
        print(f"wrote {page.relative_to(root)}")


if __name__ == "__main__":
    cli.execute(main)
