"""One seed's run: its folder, what is written there, and how it ends. What trains it is elsewhere."""

import pathlib
from collections.abc import Callable, Mapping

import numpy as np
from ml_collections import ConfigDict

from gan_jax import build
from gan_jax.data.dataset import Dataset, to_uint8
from gan_jax.gan.types import GanState
from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.networks.heads import CLASS_HEADS
from gan_jax.runs import pictures
from gan_jax.runs.best import KEPT
from gan_jax.runs.checkpoint import Checkpoints
from gan_jax.runs.initial_state import keys
from gan_jax.runs.records import Records, read_metrics
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.config import choose
from gan_jax.system.errors import TrainingFailed
from gan_jax.training.guard import Guard
from gan_jax.training.validation import Validation

_GRID_SIDE = 10


def due(config: ConfigDict, step: int, count: int, total: int) -> bool:
    """Whether a call of `count` steps that ended at `step` leaves anything to do: a score, a grid, a checkpoint."""
    every = (config.sample_every_steps, config.checkpoint_every_steps, config.eval.every_steps)
    return step == total or any(n and step // n > (step - count) // n for n in every)


def guard_of(config: ConfigDict) -> Guard:
    """What watches a run of this config; guard.debug is for what comes after it."""
    bounds = {name: value for name, value in config.guard.items() if name != "debug"}
    # Where D plays no game its loss is a classifier's, and near zero when that has learned.
    plays = config.d_loss.adversarial != 0
    return Guard(**bounds, zero_means_won=plays and choose(OBJECTIVES, config.objective, "objective").zero_means_won)


class Shadow:
    """A seed's run in a process that does not lead: it keeps count of the steps, and hears how the run goes.

    failed, live: what the process that leads says of its `Run`.
    """

    validation, status, finished = None, "", False

    def __init__(self, config: ConfigDict):
        self.config, self.failure, self.live, self.step = config, False, True, 0

    def hear(self, failed: bool, live: bool) -> None:
        self.failure, self.live = failed, live

    def record(self, *metrics) -> None:
        """What the methods of `Run` write is written by one process."""

    after = save = save_grid = close = record


class Run:
    """The records, checkpoints, validation scores and sample grids of one seed.

    status: "running" until the run has completed, or failed (then `failure` says how, at `failed_step`).
    """

    def __init__(self, config: ConfigDict, folder: Workdir, dataset: Dataset, total: int):
        self.config, self.folder, self.total = config, folder, total
        self.guard = guard_of(config)
        self._rates, self._dataset = build.schedules(config, total), dataset
        self.checkpoints = Checkpoints(folder.checkpoints, config.keep_checkpoints)
        self.validation, self.failure, self.failed_step = None, None, None

    def open(self, step: int, sample: Callable, judge: Callable, data_dir: str) -> None:
        """Ready to go on at `step`; what was written for later steps comes again. sample, judge: of Gan, compiled."""
        self.step, self._sample = step, sample
        self._sample_key = keys(self.config.seed)[2]
        self._grid_labels = np.tile(np.arange(_GRID_SIDE, dtype=np.int32) % self._dataset.num_classes, _GRID_SIDE)
        self.checkpoints.remove_after(step)
        self.records = Records(self.folder.path, self.folder.metrics, step)
        self.records.hparams(configs.leaves(self.config))
        if self.config.eval.every_steps:
            best = Checkpoints(self.folder.best, KEPT)
            best.remove_leftovers()
            best.remove_after(step)
            conditional, rows = build.is_conditional(self.config), read_metrics(self.folder.metrics)
            judge = judge if self.config.discriminator.head in CLASS_HEADS else None
            self.validation = Validation(
                self.config.eval, self._dataset, sample, conditional, judge, rows, best, data_dir
            )

    @property
    def finished(self) -> bool:
        return self.step >= self.total or bool(self.validation and self.validation.exhausted)

    @property
    def live(self) -> bool:
        return not (self.finished or self.failure)

    @property
    def status(self) -> str:
        if self.failure:
            return self.failure.status
        return "completed" if self.finished else "interrupted"

    def record(self, last_step: int, count: int, metrics: Mapping[str, np.ndarray], steps_per_second: float) -> None:
        """Writes the rows of one call; TrainingFailed at the step at which the guard ends the run."""
        metrics = {name: values[:count] for name, values in metrics.items()}
        for index, step in enumerate(range(last_step - count + 1, last_step + 1)):
            values = {name: float(array[index]) for name, array in sorted(metrics.items())}
            self._check(step, values)
            if step % self.config.log_every_steps == 0 or step == self.total or self.failure:
                values["d_learning_rate"] = float(self._rates["d"](step * self.config.d_steps))
                values["g_learning_rate"] = float(self._rates["g"](step))
                self.records.scalars(step, {**values, "steps_per_second": steps_per_second})
            if self.failure:
                return

    def _check(self, step: int, values: dict[str, float]) -> None:
        try:
            self.guard.check(step, values)
        except TrainingFailed as failure:
            last = max(self.checkpoints.steps(), default=0)
            text = f"{failure}. The last checkpoint is step {last} in {self.folder.checkpoints}"
            self.failure, self.failed_step = type(failure)(text), step

    def after(self, count: int, state: Callable[[], GanState]) -> None:
        """What is due after a call of `count` steps: validation scores, a grid, a checkpoint."""
        config, last = self.config, self.step == self.total
        sample, save, score = (
            bool(every) and self.step // every > (self.step - count) // every
            for every in (config.sample_every_steps, config.checkpoint_every_steps, config.eval.every_steps)
        )
        # A run that was ever scored is also scored at its end: the last state is one to choose from.
        score = score or bool(last and self.validation and self.validation.any)
        if score:
            self.records.scalars(self.step, self.validation.score(self.step, state()))
        if sample and not last:
            self.save_grid(state())
        # A score is saved with its step, so that a resumed run never goes back by more than one.
        if (save or score) and not self.guard.suspicious:
            self.save(state())

    def save_grid(self, state: GanState) -> pathlib.Path:
        images = to_uint8(self._sample(state, self._sample_key, self._grid_labels))
        picture, path = pictures.grid(images, _GRID_SIDE), self.folder.samples / f"step-{self.step:06d}.png"
        pictures.write_png(path, picture)
        self.records.image(self.step, "samples", picture)
        return path

    def save(self, state: GanState) -> None:
        if self.step not in self.checkpoints.steps():
            self.records.flush()
            self.checkpoints.save(self.step, state)

    def close(self, seconds: float, before: dict) -> None:
        """Closes the files; run.json and the loss curves say how it went. `before`: run.json when it was opened."""
        self.records.close()
        self.checkpoints.close()
        scoring = before.get("validation_seconds", 0.0) + (self.validation.seconds if self.validation else 0.0)
        self.folder.update_run(
            status=self.status,
            step=self.step,
            seconds=round(before.get("seconds", 0.0) + seconds, 1),
            validation_seconds=round(scoring, 1),
        )
        if self.status == "completed":
            pictures.write_loss_curves(self.folder.path / "losses.png", read_metrics(self.folder.metrics))
