"""The command of a page of short runs: trains and scores the runs, and writes the record and the pictures."""

import argparse
import pathlib
import time

from experiments.short_runs import measure, report
from experiments.short_runs.plan import Page
from experiments.short_runs.record import record
from gan_jax.runs import pictures
from gan_jax.runs.dataset import load_data
from gan_jax.system.config import choose
from gan_jax.system.files import read_sealed, write_sealed


def parser(page: Page, description: str) -> argparse.ArgumentParser:
    """The arguments that such commands share: --only, --data_dir, --workdir, --output."""
    arguments = argparse.ArgumentParser(
        prog=f"python -m experiments.{page.name}", description=description, allow_abbrev=False
    )
    arguments.add_argument("--only", default="", help=f"names with commas, of {', '.join(page.runs)} (default: all)")
    arguments.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")
    arguments.add_argument("--workdir", default=f"runs/{page.name}")
    arguments.add_argument("--output", default="experiments/results")
    return arguments


def chosen(page: Page, only: str) -> list[str]:
    """The runs that --only names, or all; UserError for an unknown name."""
    names = only.split(",") if only else list(page.runs)
    for name in names:
        choose(page.runs, name, "--only")
    return names


def execute(page: Page, names: list[str], sources: dict[str, dict[str, str]], arguments: argparse.Namespace) -> None:
    """Trains and scores the runs `names`. sources: name of an image set -> overrides that say where its images are."""
    root, output, start = pathlib.Path(arguments.workdir), pathlib.Path(arguments.output), time.monotonic()
    folder, path = output / page.name, output / f"{page.name}.json"
    published = read_sealed(path, "delete it") if path.is_file() else {}
    for index, name in enumerate(names):
        minutes = (time.monotonic() - start) / 60
        print(f"{name} ({index + 1} of {len(names)}, {minutes:.0f} min so far)", flush=True)
        run = page.runs[name]
        config = page.config(name, sources[run.images])
        dataset = load_data(config.data, arguments.data_dir)
        measure.describe(measure.data_path(root, run.images), page.sets[run.images], dataset)
        measure.train_run(name, config, dataset, root, arguments.data_dir)
        measure.score_run(name, config, dataset, root, arguments.data_dir)
        folder.mkdir(parents=True, exist_ok=True)
        if run.trains_generator:
            pictures.write_png(folder / f"{name}.png", measure.grid(str(root / name)))
        table = record(page, root, published)
        write_sealed(path, table)
        report.draw(page, table, folder)
    print(f"record {path}; python -m experiments.pages writes the page")
