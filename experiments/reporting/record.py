"""Writes a result twice: as a record for programs, and as the page that is made from it."""

import json
import pathlib

from gan_jax.system import files


def write(output: pathlib.Path, name: str, record: dict, page: str) -> pathlib.Path:
    """Writes name.json and name.md into the folder `output`, which is made; returns the path of the page."""
    output.mkdir(parents=True, exist_ok=True)
    files.write_text(output / f"{name}.json", json.dumps(record, indent=2) + "\n")
    files.write_text(output / f"{name}.md", page)
    return output / f"{name}.md"
