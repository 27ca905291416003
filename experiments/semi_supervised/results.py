"""The records of a command as one JSON file a recipe and number of labels, with ensembles' errors and pictures."""

import json
import shutil
import statistics

import numpy as np

from experiments.semi_supervised import one_run, recipes
from experiments.semi_supervised.plan import Task
from gan_jax.data.dataset import Dataset
from gan_jax.system.files import write_text

SAMPLES = "samples"  # folder of the grids, one a cell: of its first seed
MISTAKES = "mistakes"  # folder of the test images taken for another class, one a cell: of the seed with the most errors


def ensembles(task: Task, cell: str, records: dict[int, dict], labels: np.ndarray) -> dict[str, int]:
    """draw -> wrong classes of the mean probabilities of its networks, of the draws that have all of several."""
    found = {}
    for draw in range(task.draws if task.members > 1 else 0):
        own = range(draw, task.draws * task.members, task.draws)
        if all(seed in records for seed in own):
            mean = np.mean([one_run.probabilities_of(task.workdir / cell, seed) for seed in own], axis=0)
            found[str(draw)] = int(np.sum(mean.argmax(axis=1) != labels))
    return found


def spread(values: list[float]) -> tuple[float, float | None]:
    """Mean, and standard deviation with n - 1 in the denominator where there are two."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def counted(records: list[dict]) -> list[dict]:
    """The networks whose training ended, of which means are taken; all of them where each was ended early."""
    return [record for record in records if record["status"] == "completed"] or records


def write(task: Task, dataset: Dataset) -> list[dict]:
    """Writes every cell that has a record, and returns what it wrote."""
    task.output.mkdir(parents=True, exist_ok=True)
    found = []
    for name, num_labels in task.cells:
        cell = task.folder(name, num_labels)
        every = {seed: one_run.record_of(task.workdir / cell, seed) for seed in task.seeds()}
        records = {seed: record for seed, record in every.items() if record}
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
        # Networks of a CPU and of a GPU are rows of their own, also where each lies in a workdir of its own.
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
        found.append(table)
    return found
