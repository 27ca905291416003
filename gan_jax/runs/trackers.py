"""Records for Weights & Biases and for MLflow.

Both keep what a killed process wrote after its last checkpoint; a run that continues writes those steps again. The rows
of metrics.jsonl are the record that counts.
"""

import json
import logging
import math
import os
import pathlib
import time
import uuid
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from gan_jax.system.files import write_text

PROJECT = "gan_jax"
_IDS = "trackers.json"  # in the workdir: the id that each service has for this run
_MOST_LETTERS = 500  # of a setting in MLflow


def _run_id(folder: pathlib.Path, service: str, new: Callable[[], str]) -> tuple[str, bool]:
    """(the id of the run in a service, whether it is new), kept in the workdir so that a run continues as itself."""
    path = folder / _IDS
    ids = json.loads(path.read_text()) if path.is_file() else {}
    is_new = service not in ids
    if is_new:
        ids[service] = new()
        write_text(path, json.dumps(ids, indent=2, sort_keys=True) + "\n")
    return ids[service], is_new


class Tracker:
    """Calls of a service. After a failure, training goes on without it, with a warning."""

    service = ""

    def __init__(self) -> None:
        self._works = True

    def _call(self, action: Callable, *arguments: Any, **settings: Any) -> None:
        if not self._works:
            return
        try:
            action(*arguments, **settings)
        except Exception as error:  # A service can fail in any way.
            self._works = False
            reason = " ".join(str(error).split())[:160]
            logging.getLogger(__name__).warning("no more records for %s: %s", self.service, reason)


class WeightsAndBiases(Tracker):
    """A run of Weights & Biases, in the workdir's folder wandb. Nothing is sent unless WANDB_MODE=online."""

    service = "Weights & Biases"

    def __init__(self, folder: pathlib.Path):
        import wandb

        super().__init__()
        identity, _ = _run_id(folder, "wandb", lambda: uuid.uuid4().hex[:8])
        self._image = wandb.Image
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=folder.name,
            id=identity,
            dir=str(folder),
            resume="allow",
            mode=os.environ.get("WANDB_MODE", "offline"),
            reinit="create_new",  # Several seeds have one run each.
            settings=wandb.Settings(silent=True, console="off", disable_git=True, save_code=False),
        )

    def settings(self, leaves: dict) -> None:
        self._call(self._run.config.update, leaves, allow_val_change=True)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        self._call(self._run.log, values, step=step)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self._call(self._run.log, {name: self._image(image)}, step=step)

    def flush(self) -> None:
        """The library writes in a process of its own."""

    def close(self) -> None:
        self._call(self._run.finish)


class MLflow(Tracker):
    """A run of MLflow: at MLFLOW_TRACKING_URI, or in the workdir's database mlflow.db with its pictures in mlruns."""

    service = "MLflow"

    def __init__(self, folder: pathlib.Path):
        from mlflow.entities import Metric
        from mlflow.tracking import MlflowClient

        super().__init__()
        folder, self._metric = folder.absolute(), Metric
        address = os.environ.get("MLFLOW_TRACKING_URI")
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # It reports that it makes a database.
        self._client = MlflowClient(tracking_uri=address or f"sqlite:///{folder / 'mlflow.db'}")
        self._id, self._is_new = _run_id(folder, "mlflow", lambda: self._create(folder, address))

    def _create(self, folder: pathlib.Path, address: str | None) -> str:
        experiment = self._client.get_experiment_by_name(PROJECT)
        location = None if address else (folder / "mlruns").as_uri()
        identity = (
            experiment.experiment_id
            if experiment
            else self._client.create_experiment(PROJECT, artifact_location=location)
        )
        return self._client.create_run(identity, run_name=folder.name).info.run_id

    def settings(self, leaves: dict) -> None:
        """Of a new run: MLflow lets no setting change."""
        if self._is_new:
            for key, value in leaves.items():
                self._call(self._client.log_param, self._id, key, str(value)[:_MOST_LETTERS])

    def scalars(self, step: int, values: dict[str, float]) -> None:
        now = int(time.time() * 1000)
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        metrics = [self._metric(name, value, now, step) for name, value in finite.items()]
        self._call(self._client.log_batch, self._id, metrics=metrics)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        self._call(self._client.log_image, self._id, image, artifact_file=f"{name}/step-{step:06d}.png")

    def flush(self) -> None:
        """Every call is written at once."""

    def close(self) -> None:
        self._call(self._client.set_terminated, self._id)


def open_wandb(folder: pathlib.Path, resume_step: int, removed_tags: Collection[str]) -> WeightsAndBiases:
    return WeightsAndBiases(folder)


def open_mlflow(folder: pathlib.Path, resume_step: int, removed_tags: Collection[str]) -> MLflow:
    return MLflow(folder)
