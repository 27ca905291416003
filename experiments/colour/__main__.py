"""Short runs of several systems on colour images, and a page about them: python -m experiments.colour --cifar10 PATH

PATH is a folder or a .zip of CIFAR-10 as image files in train/ and test/ with class folders; --emoji PATH is one of
emoji of 64 x 64 pixels in class folders. Each run is in --workdir/<name>. Finished runs are skipped and unfinished runs
are continued, so the command can be interrupted and repeated. After each run it writes to --output: colour.json (the
record), and grids and curves in colour/. Then `python -m experiments.pages` writes the page from its template.
"""

import argparse
import pathlib
import sys
import time

if not __package__:  # Started as a file: python experiments/colour
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.colour import measure, report
from experiments.colour.record import record
from experiments.colour.runs import DATA, RUNS
from gan_jax import cli
from gan_jax.runs import pictures
from gan_jax.runs.dataset import load_data
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError
from gan_jax.system.files import write_sealed

RECORD, PICTURES = "colour.json", "colour"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.colour", description=__doc__, allow_abbrev=False)
    for name, data in DATA.items():
        parser.add_argument(f"--{name}", default="", metavar="PATH", help=f"the images of {data.title}")
    parser.add_argument("--only", default="", help=f"names with commas, of {', '.join(RUNS)} (default: all)")
    parser.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")
    parser.add_argument("--workdir", default="runs/colour")
    parser.add_argument("--output", default="experiments/results")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",") if arguments.only else list(RUNS)
    for name in arguments.only:
        data = choose(RUNS, name, "--only").data
        if not getattr(arguments, data):
            others = ",".join(other for other in RUNS if getattr(arguments, RUNS[other].data))
            advice = f", or leave such runs out: --only {others}" if others else ""
            raise UserError(f"the run {name} needs the images of {DATA[data].title}: add --{data} PATH{advice}")
    return arguments


def main() -> None:
    arguments = _parse()
    root, output, start = pathlib.Path(arguments.workdir), pathlib.Path(arguments.output), time.monotonic()
    for index, name in enumerate(arguments.only):
        minutes = (time.monotonic() - start) / 60
        print(f"{name} ({index + 1} of {len(arguments.only)}, {minutes:.0f} min so far)", flush=True)
        run = RUNS[name]
        config = measure.config_of(run, getattr(arguments, run.data))
        dataset = load_data(config.data, arguments.data_dir)
        measure.describe(measure.data_path(root, run.data), run.data, dataset)
        measure.train_run(name, config, dataset, root, arguments.data_dir)
        measure.score_run(name, config, dataset, root, arguments.data_dir)
        (output / PICTURES).mkdir(parents=True, exist_ok=True)
        if run.trains_generator:
            pictures.write_png(output / PICTURES / f"{name}.png", measure.grid(str(root / name)))
        _write(record(root), output)
    print(f"record {output / RECORD}; python -m experiments.pages writes the page")


def _write(table: dict, output: pathlib.Path) -> None:
    """Writes the record and the curves."""
    write_sealed(output / RECORD, table)
    report.draw(table, output / PICTURES)


if __name__ == "__main__":
    cli.execute(main)
