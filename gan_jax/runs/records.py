"""Writes the metrics of a run: to metrics.jsonl, which every tool reads, and by CLU for TensorBoard.

Without TensorFlow and TensorBoard a run still trains and writes metrics.jsonl.
"""

import json
import logging
import math
import os
import pathlib
from collections.abc import Collection
from typing import Any

import numpy as np

from gan_jax.runs.best import METRIC
from gan_jax.runs.events import keep_events
from gan_jax.system.errors import DiskFull, UserError
from gan_jax.system.extras import install
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


def _tensorboard_files(folder: pathlib.Path, resume_step: int, removed_tags: Collection[str]) -> tuple[Any, set[str]]:
    """CLU's writer for TensorBoard, and the tags at `resume_step` that earlier files contain.

    Removes the events that the run writes again. If CLU cannot be imported: a warning, no writer and no tags.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        from clu import metric_writers
    except ImportError as error:
        logging.getLogger(__name__).warning(
            "no TensorBoard records (%s); metrics.jsonl is written. To have them: %s", error, install("tensorboard")
        )
        return None, set()
    kept_tags = keep_events(folder, resume_step, removed_tags)
    return metric_writers.SummaryWriter(str(folder)), kept_tags


class Records:
    """Writes the rows of one run.

    Records after `resume_step` are from a process that was killed. They are removed, because the run writes them again.
    not_due: the kinds of records of `resume_step` that are removed, too: METRICS, SCORES, SAMPLES.
    """

    def __init__(self, folder: pathlib.Path, path: pathlib.Path, resume_step: int, not_due: Collection[str] = ()):
        kept_rows, removed_tags = [], {SAMPLES} & set(not_due)
        for row in read_metrics(path):
            if row["step"] == resume_step and (SCORES if METRIC in row else METRICS) in not_due:
                removed_tags |= row.keys()
            elif row["step"] <= resume_step:
                kept_rows.append(row)
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept_rows))
        self._file = path.open("a")
        self._resume_step = resume_step
        self._writer, self._kept_tags = _tensorboard_files(folder, resume_step, removed_tags)

    def _tensorboard(self, action: str, *arguments) -> None:
        """Calls the method `action` of CLU's writer, if there is a writer. DiskFull if the method fails."""
        if not self._writer:
            return
        try:
            getattr(self._writer, action)(*arguments)
        except Exception as error:  # TensorFlow's errors do not name the reason.
            self._writer = None
            raise DiskFull(
                "TensorBoard's records cannot be written, as where no space is left; free some, and the same command "
                "continues"
            ) from error

    def hparams(self, leaves: dict) -> None:
        """Writes the config's leaves for TensorBoard's HPARAMS page."""
        plain = {key: value if isinstance(value, int | float | str) else str(value) for key, value in leaves.items()}
        self._tensorboard("write_hparams", plain)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes one row: the values at `step`. JSON has no NaN: null stands for a number that is not finite."""
        row = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._file.write(json.dumps({"step": step, **row}, allow_nan=False) + "\n")
        self._tensorboard("write_scalars", step, values)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Writes a picture uint8 [H, W, C] for TensorBoard, unless an earlier process has written it."""
        if step != self._resume_step or name not in self._kept_tags:
            self._tensorboard("write_images", step, {name: image[None]})

    def flush(self) -> None:
        """Returns when all rows are on the disk. Called before each checkpoint, so that no row before it is lost."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._tensorboard("flush")

    def close(self) -> None:
        self.flush()
        self._file.close()
        self._tensorboard("close")
