"""The runs of a command: groups of consecutive seeds of a recipe with a number of labels.

With D draws (label subsets), seed s is network s // D of draw s mod D. So network 0 of every draw comes first, and the
seeds s, s + D, s + 2 D, ... are an ensemble that was trained on the same labels.
"""

import pathlib
from typing import NamedTuple

from ml_collections import ConfigDict

from experiments.jobs import records
from experiments.jobs.arguments import check_at_least
from experiments.jobs.folders import identity
from experiments.semi_supervised import one_run, recipes
from gan_jax import build
from gan_jax.layers.kernel_norms import DTYPES
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table


class Task(NamedTuple):
    """The arguments of a command. labels: 0 for all; epochs: 0 for each recipe's own; draws: label subsets."""

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
        """The folder of a cell inside the workdir; another length or dtype is another cell."""
        length = f"-{self.epochs}-epochs" if self.epochs else ""
        arithmetic = f"-{self.dtype}" if self.dtype != "float32" else ""
        return f"{name}{length}{arithmetic}/labels-{num_labels or 'all'}"

    def config(self, name: str, num_labels: int) -> ConfigDict:
        return recipes.config(name, num_labels, self.draws, self.epochs, self.shared | {"dtype": self.dtype})

    def seeds(self) -> range:
        """Every seed of a cell."""
        return range(self.draws * self.members)


def check(task: Task) -> None:
    """UserError if the task cannot be run."""
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
    """Whether the networks of a draw teach each other (codistillation), so that all of them are one group."""
    return bool(task.config(name, num_labels).d_loss.codistillation)


def groups(task: Task) -> dict[str, list[int]]:
    """Folder -> seeds, of every group with seeds without a record.

    A group that has begun is continued with the same seeds, so that no training is lost if the process was killed while
    it wrote the records.
    """
    waiting = {}
    for name, num_labels in task.cells:
        cell = task.folder(name, num_labels)
        missing = [seed for seed in task.seeds() if not _has_record(task, cell, seed)]
        for group in _begun_groups(task, name, num_labels):
            if not set(group).isdisjoint(missing):
                waiting[f"{cell}/{_group_name(group)}"] = group
                missing = [seed for seed in missing if seed not in group]
        if _teach(task, name, num_labels) and 0 < len(missing) < len(task.seeds()):
            raise UserError(
                f"--recipes={name}: in {task.workdir / cell} other networks of these draws have taught each other "
                "without those that are missing; choose another --workdir"
            )
        for first in range(0, len(missing), task.at_once):
            # The seeds of one program are consecutive, so a gap begins a new group.
            for group in _consecutive(missing[first : first + task.at_once]):
                waiting[f"{cell}/{_group_name(group)}"] = group
    return waiting


def _has_record(task: Task, cell: str, seed: int) -> bool:
    """Whether a seed has a record; UserError if the record is of another draw than the seed has in this task."""
    record, draw = one_run.record_of(task.workdir / cell, seed), seed % task.draws
    if record and record["draw"] != draw:
        raise UserError(
            f"--seeds={task.draws} makes seed {seed} a network of draw {draw}, and in "
            f"{task.workdir / cell} it is one of draw {record['draw']}; choose another --workdir"
        )
    return record is not None


def _begun_groups(task: Task, name: str, num_labels: int) -> list[list[int]]:
    """The groups of a cell that were begun with the config that this task has for them."""
    begun_groups = []
    for path in sorted((task.workdir / task.folder(name, num_labels)).glob("seed*/config.json")):
        begun = read_table(path)
        group = list(range(begun["seed"], begun["seed"] + begun["num_seeds"]))
        is_same = identity(path, ()) == recorded.digest(_config(task, name, num_labels, group), ())
        if is_same and set(group) <= set(task.seeds()):
            begun_groups.append(group)
    return begun_groups


def _config(task: Task, name: str, num_labels: int, group: list[int]) -> ConfigDict:
    """The config of a group."""
    config = task.config(name, num_labels)
    config.seed, config.num_seeds = group[0], len(group)
    return config


def write_configs(task: Task, waiting: dict[str, list[int]], num_images: int) -> dict[str, int]:
    """Writes config.json of every group; returns folder -> steps of a seed, for `num_images` training images."""
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


def _group_name(group: list[int]) -> str:
    return f"seed-{group[0]:03d}" if len(group) == 1 else f"seeds-{group[0]:03d}-{group[-1]:03d}"
