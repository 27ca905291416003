"""The record of short runs: every number of their page, from the workdirs."""

import pathlib
import statistics

import numpy as np

from experiments.jobs import records
from experiments.short_runs.measure import PROTOCOL, data_path, run_path
from experiments.short_runs.plan import Page
from gan_jax.runs.best import scores
from gan_jax.runs.records import read_metrics
from gan_jax.runs.workdir import Workdir
from gan_jax.system.files import read_table

_MOST_POINTS = 60  # of a loss curve; each is a mean over rows


def record(page: Page, root: pathlib.Path, published: dict) -> dict:
    """{"data": name -> image set, "runs": name -> run} of the runs that have been scored in the folder `root`.

    published: an earlier record, whose entries stay for the runs that `root` has no scores of.
    """
    runs = {
        name: entry for name in page.runs if (entry := _run(page, name, root) or published.get("runs", {}).get(name))
    }
    data = {
        name: records.read(data_path(root, name)) or published["data"][name]
        for name in page.sets
        if name in {page.runs[run].images for run in runs}
    }
    return {"data": data, "runs": runs}


def _run(page: Page, name: str, root: pathlib.Path) -> dict | None:
    """The entry of one run; None if it has no scores."""
    folder, run = Workdir(str(root / name)), page.runs[name]
    path = folder.path / PROTOCOL.file_name
    if not path.is_file():
        return None
    info, rows = folder.run(), read_metrics(folder.metrics)
    rates = [row["steps_per_second"] for row in rows if "steps_per_second" in row]
    return {
        "title": run.title,
        "data": run.images,
        "config": run.config,
        "changes": page.changes(name),
        "status": info["status"],
        "minutes": (info["seconds"] - info["validation_seconds"]) / 60,
        "steps_per_second": statistics.median(rates) if rates else None,
        "batch_size": folder.config().batch_size,
        "cpu_cores": info["cpu_cores"],
        "commit": info["commit"],
        "losses": _thin([(row["step"], row["d_loss"], row["g_loss"]) for row in rows if "d_loss" in row]),
        "validation_frechet_distance": sorted(scores(rows).items()),
        "scores": read_table(path, "delete it"),
        **records.read(run_path(root, name)),
    }


def _thin(rows: list[tuple]) -> list[list[float]]:
    """Means of consecutive rows, at most _MOST_POINTS of them, rounded to 5 digits."""
    parts = np.array_split(np.array(rows, float), min(len(rows), _MOST_POINTS))
    return [[float(f"{value:.5g}") for value in part.mean(axis=0)] for part in parts]
