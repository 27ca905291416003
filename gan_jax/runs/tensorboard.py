"""Records for TensorBoard, by CLU. No other module imports CLU, whose writer imports TensorFlow."""

import logging
import os
import pathlib
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from gan_jax.runs.events import keep_events
from gan_jax.system.errors import DiskFull
from gan_jax.system.extras import install


class TensorBoard:
    """Event files in the workdir. DiskFull if they cannot be written."""

    def __init__(self, writer: Any, resume_step: int, kept_tags: set[str]):
        """kept_tags: the tags that the files have at `resume_step`."""
        self._writer, self._resume_step, self._kept_tags = writer, resume_step, kept_tags

    def _write(self, action: Callable, *arguments: Any) -> None:
        try:
            action(*arguments)
        except Exception as error:  # TensorFlow's errors do not name the reason.
            self._writer = None
            raise DiskFull(
                "TensorBoard's records cannot be written, as where no space is left; free some, and the same command "
                "continues"
            ) from error

    def settings(self, leaves: dict) -> None:
        """For the HPARAMS page."""
        plain = {key: value if isinstance(value, int | float | str) else str(value) for key, value in leaves.items()}
        if self._writer:
            self._write(self._writer.write_hparams, plain)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        if self._writer:
            self._write(self._writer.write_scalars, step, values)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Writes the picture, unless an earlier process has written it."""
        if self._writer and (step != self._resume_step or name not in self._kept_tags):
            self._write(self._writer.write_images, step, {name: image[None]})

    def flush(self) -> None:
        if self._writer:
            self._write(self._writer.flush)

    def close(self) -> None:
        if self._writer:
            self._write(self._writer.close)


def open_tensorboard(folder: pathlib.Path, resume_step: int, removed_tags: Collection[str]) -> TensorBoard | None:
    """Removes the events that the run writes again. If CLU cannot be imported: a warning, and None."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        from clu import metric_writers
    except ImportError as error:
        logging.getLogger(__name__).warning(
            "no TensorBoard records (%s); metrics.jsonl is written. To have them: %s", error, install("tensorboard")
        )
        return None
    kept_tags = keep_events(folder, resume_step, removed_tags)
    return TensorBoard(metric_writers.SummaryWriter(str(folder)), resume_step, kept_tags)
