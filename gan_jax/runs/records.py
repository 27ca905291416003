"""Writes the metrics of a run: to metrics.jsonl, which every tool reads, and to the services that config.records names.

Without any of their libraries a run still trains and writes metrics.jsonl.
"""

import json
import math
import os
import pathlib
from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

import numpy as np

from gan_jax.runs.best import METRIC
from gan_jax.runs.tensorboard import open_tensorboard
from gan_jax.runs.trackers import open_mlflow, open_wandb
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError
from gan_jax.system.extras import require
from gan_jax.system.files import write_text

# The kinds of records: rows of a training step, rows of validation scores, sample grids.
METRICS, SCORES, SAMPLES = "metrics", "scores", "samples"


def read_metrics(path: pathlib.Path) -> list[dict]:
    """The rows of metrics.jsonl. An incomplete last line (from a kill) is ignored.

    UserError if any other line is damaged.
    """
    if not path.exists():
        return []
    rows, lines = [], path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        row = _row(line)
        if row is None and number == len(lines) and not line.endswith(b"\n"):
            break
        if row is None:
            raise UserError(f"{path} is damaged in line {number}; restore it, or train again in another workdir")
        rows.append(row)
    return rows


def _row(line: bytes) -> dict | None:
    """The row of metrics in a line; None if the line is no such row."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


class Service(Protocol):
    """A place where people look at runs."""

    def settings(self, leaves: dict) -> None:
        """The config's leaves by their dotted names. Called once, before anything else."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """The values of one step, which may not be finite."""

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """A picture uint8 [H, W, C]."""

    def flush(self) -> None:
        """Returns when everything is written. Called before each checkpoint."""

    def close(self) -> None:
        """Ends the records of this process; the run may go on in another one."""


class Kind(NamedTuple):
    """A service by name.

    open: (workdir, step at which the run continues, tags to be removed at this step) -> the service, or None.
    modules, extra: the libraries that it must have, and what installs them. TensorBoard, the default, may be absent.
    """

    open: Callable[[pathlib.Path, int, Collection[str]], Service | None]
    extra: str = ""
    modules: tuple[str, ...] = ()


SERVICES = {
    "tensorboard": Kind(open_tensorboard),
    "wandb": Kind(open_wandb, "wandb", ("wandb",)),
    "mlflow": Kind(open_mlflow, "mlflow", ("mlflow",)),
}


def services(names: str) -> list[str]:
    """The services of config.records, "wandb,tensorboard" say. UserError for an unknown or missing one."""
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    for name in chosen:
        kind = choose(SERVICES, name, "records")
        require(f"records={name}", kind.extra, *kind.modules)
    return chosen


class Records:
    """Writes the rows of one run.

    Records after `resume_step` are from a process that was killed. They are removed, because the run writes them again.
    not_due: the kinds of records of `resume_step` that are removed, too: METRICS, SCORES, SAMPLES.
    names: of the services, as in config.records.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        path: pathlib.Path,
        resume_step: int,
        not_due: Collection[str] = (),
        names: str = "tensorboard",
    ):
        kept_rows, removed_tags = [], {SAMPLES} & set(not_due)
        for row in read_metrics(path):
            if row["step"] == resume_step and (SCORES if METRIC in row else METRICS) in not_due:
                removed_tags |= row.keys()
            elif row["step"] <= resume_step:
                kept_rows.append(row)
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept_rows))
        self._file = path.open("a")
        opened = [SERVICES[name].open(folder, resume_step, removed_tags) for name in services(names)]
        self._services = [service for service in opened if service]

    def settings(self, leaves: dict) -> None:
        """The config's leaves, for the services; the workdir has them in config.json."""
        for service in self._services:
            service.settings(leaves)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes one row: the values at `step`. JSON has no NaN: null stands for a number that is not finite."""
        row = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._file.write(json.dumps({"step": step, **row}, allow_nan=False) + "\n")
        for service in self._services:
            service.scalars(step, values)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """A picture uint8 [H, W, C], for the services."""
        for service in self._services:
            service.image(step, name, image)

    def flush(self) -> None:
        """Returns when all rows are on the disk. Called before each checkpoint, so that no row before it is lost."""
        self._file.flush()
        os.fsync(self._file.fileno())
        for service in self._services:
            service.flush()

    def close(self) -> None:
        self.flush()
        self._file.close()
        for service in self._services:
            service.close()
