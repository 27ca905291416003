"""Which runs a command needs: groups of consecutive seeds of a recipe with so many labels.

Seed s of D draws of the labels is network s // D of draw s mod D, so that network 0 of every draw comes first and the
seeds s, s + D, s + 2 D, ... are an ensemble that has seen the same labels.
"""

import pathlib
from typing import NamedTuple

from ml_collections import ConfigDict

from experiments.jobs import records
from experiments.jobs.arguments import check_at_least
from experiments.semi_supervised import one_run, recipes
from gan_jax import build
from gan_jax.layers.kernel_norms import DTYPES
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError


class Task(NamedTuple):
    """What a command was asked for. labels: 0 stands for all; epochs: 0 for each recipe's own."""

    names: tuple[str, ...]
    labels: tuple[int, ...]
    draws: int
    members: int
    epochs: int
    dtype: str
    at_once: int
    shared: dict
    workdir: pathlib.Path
    output: pathlib.Path

    @property
    def cells(self) -> list[tuple[str, int]]:
        """(recipe, number of labels) of every row of the table."""
        return [(name, number) for name in self.names for number in self.labels]

    def folder(self, name: str, num_labels: int) -> str:
        """The folder of a cell inside the workdir; another length or arithmetic is another cell."""
        length = f"-{self.epochs}-epochs" if self.epochs else ""
        arithmetic = f"-{self.dtype}" if self.dtype != "float32" else ""
        return f"{name}{length}{arithmetic}/labels-{num_labels or 'all'}"

    def config(self, name: str, num_labels: int) -> ConfigDict:
        return recipes.config(name, num_labels, self.draws, self.epochs, self.shared | {"dtype": self.dtype})

    def seeds(self) -> range:
        """Every seed of a cell."""
        return range(self.draws * self.members)


def check(task: Task) -> None:
    """UserError for what cannot be run."""
    check_at_least(1, seeds=task.draws, members=task.members, at_once=task.at_once)
    if task.epochs < 0 or min(task.labels) < 0:
        raise UserError("--epochs and --labels: must be at least 0")
    configs.choose(DTYPES, task.dtype, "--dtype")
    members = max(task.members, 2)
    for name, num_labels in task.cells:
        if _teach(task, name, num_labels) and (task.members < 2 or task.at_once < task.draws * members):
            raise UserError(
                f"--recipes={name}: the networks of a draw teach each other, in one run; "
                f"set --members={members} --at_once={task.draws * members}"
            )


def _teach(task: Task, name: str, num_labels: int) -> bool:
    """Whether the networks of a draw teach each other, so that all of them are one group."""
    return bool(task.config(name, num_labels).d_loss.codistillation)


def groups(task: Task) -> dict[str, list[int]]:
    """Folder -> its seeds, of every group with seeds that have left no record.

    A group that has begun goes on as it is, so that a kill while its records are written costs no training.
    """
    found = {}
    for name, num_labels in task.cells:
        cell = task.folder(name, num_labels)
        rest = [seed for seed in task.seeds() if not _has_record(task, cell, seed)]
        for group in _begun(task, name, num_labels):
            if not set(group).isdisjoint(rest):
                found[f"{cell}/{_spelled(group)}"] = group
                rest = [seed for seed in rest if seed not in group]
        if _teach(task, name, num_labels) and 0 < len(rest) < len(task.seeds()):
            raise UserError(
                f"--recipes={name}: in {task.workdir / cell} other networks of these draws have taught each other "
                "without those that are missing; choose another --workdir"
            )
        for first in range(0, len(rest), task.at_once):
            # Seeds that follow each other are one program; where there is a gap a new group begins.
            for group in _consecutive(rest[first : first + task.at_once]):
                found[f"{cell}/{_spelled(group)}"] = group
    return found


def _has_record(task: Task, cell: str, seed: int) -> bool:
    """UserError where the record is of other labelled images than this task has for the seed."""
    record, draw = one_run.record_of(task.workdir / cell, seed), seed % task.draws
    if record and record["draw"] != draw:
        raise UserError(
            f"--seeds={task.draws} makes seed {seed} a network of draw {draw}, and in "
            f"{task.workdir / cell} it is one of draw {record['draw']}; choose another --workdir"
        )
    return record is not None


def _begun(task: Task, name: str, num_labels: int) -> list[list[int]]:
    """The groups of a cell that have been trained, or in part, as this task would train them."""
    found = []
    for path in sorted((task.workdir / task.folder(name, num_labels)).glob("seed*/config.json")):
        text = path.read_text()
        begun = configs.from_json(text)
        group = list(range(begun.seed, begun.seed + begun.num_seeds))
        same = text == configs.to_json(_config(task, name, num_labels, group))
        if same and set(group) <= set(task.seeds()):
            found.append(group)
    return found


def _config(task: Task, name: str, num_labels: int, group: list[int]) -> ConfigDict:
    """What a group trains."""
    config = task.config(name, num_labels)
    config.seed, config.num_seeds = group[0], len(group)
    return config


def write_configs(task: Task, waiting: dict[str, list[int]], num_images: int) -> dict[str, int]:
    """config.json of every group; returns the steps of each of its seeds, of so many training images."""
    steps = {}
    for name, num_labels in task.cells:
        for folder, group in waiting.items():
            if folder.startswith(f"{task.folder(name, num_labels)}/"):
                config = _config(task, name, num_labels, group)
                records.write_config(task.workdir / folder, config)
                steps[folder] = build.num_steps(config, num_images)
    return steps


def _consecutive(seeds: list[int]) -> list[list[int]]:
    runs = []
    for seed in seeds:
        if runs and runs[-1][-1] == seed - 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return runs


def _spelled(group: list[int]) -> str:
    return f"seed-{group[0]:03d}" if len(group) == 1 else f"seeds-{group[0]:03d}-{group[-1]:03d}"
