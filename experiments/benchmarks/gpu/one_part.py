"""Measures one part and writes its record: python -m experiments.benchmarks.gpu.one_part NAME FOLDER"""

import argparse
import datetime
import importlib.metadata
import json
import pathlib
import sys

if not __package__:  # Started as a file: python experiments/benchmarks/gpu/one_part.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[3])

from experiments.benchmarks import machine
from experiments.benchmarks.gpu.parts import Run, Size, make_parts
from gan_jax import cli
from gan_jax.runs.provenance import provenance
from gan_jax.system import files


def _origin() -> dict:
    """Device, versions, commit, date and load of a record."""
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = "not installed"
    origin = {"cpu_model": machine.cpu_model(), "load_average": round(machine.load_average(), 2), "torch": torch}
    return {**provenance(), **origin, "date": str(datetime.date.today())}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.gpu.one_part", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("folder", type=pathlib.Path, help="of the records")
    parser.add_argument("--seconds", type=float, required=True, help="until it is stopped")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--idx", default="")
    arguments = parser.parse_args()
    (part,) = (p for p in make_parts(Size(arguments.tiny, arguments.idx)) if p.name == arguments.name)
    folder = arguments.folder / part.name
    folder.mkdir(exist_ok=True)
    result = part.measure(Run(folder, arguments.seconds))
    record = {"part": part.name, "tiny": arguments.tiny, "result": result, "provenance": _origin()}
    files.write_text(arguments.folder / f"{part.name}.json", json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    cli.execute(main)
