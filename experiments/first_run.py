"""Records what `make run` takes and scores: python -m experiments.first_run

Trains and scores configs/cdcgan.py in a fresh folder, with an empty cache, as on a machine that has never run it.
Writes first_run.json and first_run.png (the samples of the last step) to --output; the pages read them. It takes
minutes on two cores.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

if not __package__:  # Started as a file: python experiments/first_run.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from experiments.benchmarks.machine import cpu_model
from gan_jax import cli
from gan_jax.runs.score import DEFAULT_PROTOCOL
from gan_jax.runs.workdir import Workdir
from gan_jax.system import files
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table

NAME, CONFIG = "first_run", "configs/cdcgan.py"


def command(workdir: pathlib.Path) -> list[str]:
    """What `make run` starts, in a workdir of its own."""
    return [sys.executable, "-m", "gan_jax.main", "--config", CONFIG, "--workdir", str(workdir)]


def _train(folder: pathlib.Path) -> str:
    """Runs the command; shows and returns what it prints. UserError if it fails."""
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    with subprocess.Popen(command(folder / "run"), stdout=subprocess.PIPE, text=True, env=environment) as process:
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise UserError(f"{CONFIG} ended with exit code {process.returncode}; nothing is recorded")
    return "".join(lines)


def _end(printed: str) -> str:
    """The part of the output that holds the scores. The lines after it name folders of this machine."""
    return re.search(r"^validation: .*?(?=\nresults )", printed, re.DOTALL | re.MULTILINE)[0]


def _core_seconds() -> float:
    """Processor time of the processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def record(folder: pathlib.Path) -> dict:
    """Trains in `folder`. Minutes are of the whole command; core_minutes: its processor time, over all cores."""
    conditions = {"date": str(datetime.date.today()), "cpu_model": cpu_model(), "load_average": os.getloadavg()[0]}
    start_time, start_core = time.monotonic(), _core_seconds()
    printed = _train(folder)
    minutes, core_minutes = (time.monotonic() - start_time) / 60, (_core_seconds() - start_core) / 60
    evaluation = read_table(folder / "run" / DEFAULT_PROTOCOL.file_name, "run the command again")
    return {
        "command": f"python -m gan_jax.main --config {CONFIG}",
        **conditions,
        "load_average_at_end": os.getloadavg()[0],
        "minutes": minutes,
        "core_minutes": core_minutes,
        "training_minutes": Workdir(str(folder / "run")).run()["seconds"] / 60,
        "evaluation": evaluation,
        "printed": _end(printed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.first_run", description=__doc__, allow_abbrev=False)
    parser.add_argument("--output", default="experiments/results", help="folder (experiments/results)")
    output = pathlib.Path(parser.parse_args().output)
    with files.writing(f"--output: {output}"):  # Before the minutes of training.
        output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        result = record(folder)
        with files.writing(f"--output: {output}"):
            shutil.copy(Workdir(str(folder / "run")).last_grid(), output / f"{NAME}.png")
            files.write_text(output / f"{NAME}.json", json.dumps(result, indent=2) + "\n")
    print(f"wrote {output / NAME}.json and .png; python -m experiments.pages writes the pages")


if __name__ == "__main__":
    cli.execute(main)
