"""Metrics out: metrics.jsonl, which is the truth, and the same through CLU's writers for TensorBoard.

Without TensorFlow and TensorBoard a run still trains and records metrics.jsonl.
"""

import json
import logging
import os
import pathlib

import numpy as np

from gan_jax.system.errors import DiskFull, UserError
from gan_jax.system.files import write_text


def read_metrics(path: pathlib.Path) -> list[dict]:
    """The rows of metrics.jsonl; a last line cut short by a kill is left out. UserError where another is damaged."""
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
    """A row of metrics, None where the line is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def _summary_writer(folder: pathlib.Path):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from clu import metric_writers
    except ImportError as error:
        logging.getLogger(__name__).warning(
            "no TensorBoard records (%s); metrics.jsonl is written. To have them: pip install -r requirements.txt",
            error,
        )
        return None
    return metric_writers.SummaryWriter(str(folder))


class Records:
    """Rows of one run. Rows after `resume_step` are those of a run that was killed: they are dropped and come again."""

    def __init__(self, folder: pathlib.Path, path: pathlib.Path, resume_step: int):
        kept = [row for row in read_metrics(path) if row["step"] <= resume_step]
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))
        self._file = path.open("a")
        self._writer = _summary_writer(folder)

    def _tensorboard(self, action: str, *arguments) -> None:
        """Does something with CLU's writer, where there is one."""
        if not self._writer:
            return
        try:
            getattr(self._writer, action)(*arguments)
        except Exception as error:  # TensorFlow's own classes, which do not say why.
            self._writer = None
            raise DiskFull(
                "TensorBoard's records cannot be written, as where no space is left; free some, and the same command "
                "continues"
            ) from error

    def hparams(self, leaves: dict) -> None:
        """The config's leaves, for TensorBoard's HPARAMS page."""
        plain = {key: value if isinstance(value, int | float | str) else str(value) for key, value in leaves.items()}
        self._tensorboard("write_hparams", plain)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """One row: the values at `step`."""
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._tensorboard("write_scalars", step, values)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """One picture uint8 [H, W, C]."""
        self._tensorboard("write_images", step, {name: image[None]})

    def flush(self) -> None:
        """Returns when every row so far is on the disk: called before each checkpoint, so that no row of it is lost."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._tensorboard("flush")

    def close(self) -> None:
        self.flush()
        self._file.close()
        self._tensorboard("close")
