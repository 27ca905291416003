"""Writes one JSON file per recipe and number of labels (a cell), with the ensembles' errors, and its pictures."""

import json
import shutil
import statistics

import numpy as np

from experiments.semi_supervised import one_run, recipes
from experiments.semi_supervised.plan import Task
from gan_jax.data.dataset import Dataset
from gan_jax.system.files import write_text

SAMPLES = "samples"  # folder with one grid of samples per cell: of the first seed
MISTAKES = (
    "mistakes"  # folder with one picture of wrongly classified test images per cell: of the seed with most errors
)


def ensembles(task: Task, cell: str, records: dict[int, dict], labels: np.ndarray) -> dict[str, int]:
    """draw -> errors of the mean probabilities of its networks, for the draws with records of all their networks.

    {} if a draw has one network only.
    """
    errors = {}
    for draw in range(task.draws if task.members > 1 else 0):
        members = range(draw, task.draws * task.members, task.draws)
        if all(seed in records for seed in members):
            mean = np.mean([one_run.probabilities_of(task.workdir / cell, seed) for seed in members], axis=0)
            errors[str(draw)] = int(np.sum(mean.argmax(axis=1) != labels))
    return errors


def spread(values: list[float]) -> tuple[float, float | None]:
    """(mean, standard deviation with n - 1 in the denominator); None for the second if there is only one value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def counted(records: list[dict]) -> list[dict]:
    """The records that enter the means: those of completed networks, or all if none is completed."""
    return [record for record in records if record["status"] == "completed"] or records


def write(task: Task, dataset: Dataset) -> list[dict]:
    """Writes every cell that has a record, and returns the tables that it wrote."""
    task.output.mkdir(parents=True, exist_ok=True)
    tables = []
    for name, num_labels in task.cells:
        cell = task.folder(name, num_labels)
        by_seed = {seed: one_run.record_of(task.workdir / cell, seed) for seed in task.seeds()}
        records = {seed: record for seed, record in by_seed.items() if record}
        if not records:
            continue
        spec, changes = recipes.changes_of(recipes.RECIPES[name])
        table = {
            "recipe": name,
            "title": recipes.RECIPES[name].title,
            "config": spec,
            "changes": changes,
            "dtype": task.dtype,
            "num_labels": num_labels,
            "draws": task.draws,
            "members": task.members,
            "seeds": list(records.values()),
            "ensembles": ensembles(task, cell, records, dataset.test.labels),
        }
        # Networks of a CPU and of a GPU have separate files, also if they come from different workdirs.
        platforms = {record["provenance"]["device"]["platform"] for record in records.values()} - {"cpu"}
        file_name = cell.replace("/", "".join(f"-{platform}" for platform in sorted(platforms)) + "@")
        worst = max(counted(table["seeds"]), key=lambda record: record["test_errors"])["seed"]
        for folder, picture in (
            (SAMPLES, one_run.grid_of(task.workdir / cell, min(records))),
            (MISTAKES, one_run.mistakes_of(task.workdir / cell, worst)),
        ):
            if picture.is_file():
                (task.output / folder).mkdir(exist_ok=True)
                shutil.copyfile(picture, task.output / folder / f"{file_name}.png")
        write_text(task.output / f"{file_name}.json", json.dumps(table, indent=1) + "\n")
        tables.append(table)
    return tables
