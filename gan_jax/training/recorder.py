"""Writes the files of one seed's run while it trains. Only process 0 has recorders."""

import pathlib
from collections.abc import Callable, Mapping

import numpy as np
from ml_collections import ConfigDict

from gan_jax import build
from gan_jax.data.dataset import Dataset, to_uint8
from gan_jax.gan.types import GanState
from gan_jax.networks.heads import CLASS_HEADS
from gan_jax.runs import pictures
from gan_jax.runs.best import NUM_KEPT_BEST, scores
from gan_jax.runs.checkpoint import Checkpoints
from gan_jax.runs.initial_state import keys
from gan_jax.runs.records import SAMPLES, Records, read_metrics
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import TrainingFailed
from gan_jax.training.calls import Call
from gan_jax.training.extension import records_not_due
from gan_jax.training.guard import make_guard
from gan_jax.training.status import SeedStatus
from gan_jax.training.validation import Validation

_GRID_SIDE = 10


class Recorder:
    """The records, checkpoints, validation scores and sample grids of one seed.

    failure: the error that ended the run at `failed_step`; None if the run has not failed.
    """

    def __init__(
        self,
        config: ConfigDict,
        status: SeedStatus,
        workdir: Workdir,
        dataset: Dataset,
        sample: Callable,
        discriminate: Callable,
        run_info: dict,
        data_dir: str,
    ):
        """sample, discriminate: the compiled methods of Gan. run_info: entries of run.json while the run trains."""
        self.workdir, self.status = workdir, status
        self.failure, self.failed_step = None, None
        self.checkpoints = Checkpoints(workdir.checkpoints, config.keep_checkpoints)
        self.validation = None
        self._config, self._dataset, self._data_dir = config, dataset, data_dir
        self._sample, self._conditional = sample, build.is_conditional(config.generator)
        self._discriminate = discriminate if config.discriminator.head in CLASS_HEADS else None
        self._guard, self._rates = make_guard(config), build.learning_rates(config, status.total)
        self._run_info, self._previous_info, self._records = run_info, workdir.run(), None

    def open(self) -> None:
        """Prepares the workdir for the steps after `status.step`; removes everything that is from later steps."""
        step, total = self.status.step, self.status.total
        not_due = records_not_due(self._config, step, self._previous_info.get("num_steps", total), total)
        self.checkpoints.remove_after(step)
        self._records = Records(self.workdir.path, self.workdir.metrics, step, not_due, self._config.records)
        if SAMPLES in not_due:
            self._grid_path.unlink(missing_ok=True)
        self.workdir.update_run(**self._run_info)  # Last: it overwrites the length of before.
        self._records.settings(configs.leaves(self._config) | {"seed": self.status.seed, "num_seeds": 1})
        if self._config.eval.every_steps:
            self.validation = self._open_validation()
            self.status.stopped_early = self.validation.exhausted

    def _open_validation(self) -> Validation:
        best = Checkpoints(self.workdir.best, NUM_KEPT_BEST)
        rows, config = read_metrics(self.workdir.metrics), self._config
        best.remove_leftovers()
        best.remove_except(scores(rows))
        return Validation(
            config.eval,
            self._dataset,
            self._sample,
            self._conditional,
            self._discriminate,
            rows,
            best,
            self._data_dir,
        )

    def record(self, call: Call, metrics: Mapping[str, np.ndarray], steps_per_second: float | None) -> None:
        """Writes the rows of a call. If the guard ends the run at one of the steps, it sets `failure`.

        steps_per_second: None while it is not known; the rows are then without it.
        """
        speed = {} if steps_per_second is None else {"steps_per_second": steps_per_second}
        if self.failure:
            return
        for index, step in enumerate(range(call.first_step + 1, call.end + 1)):
            values = {name: float(array[index]) for name, array in sorted(metrics.items())}
            self._check(step, values)
            if step % self._config.log_every_steps == 0 or step == self.status.total or self.failure:
                values["d_learning_rate"] = float(self._rates["d"](step * self._config.d_steps))
                values["g_learning_rate"] = float(self._rates["g"](step))
                self._records.scalars(step, {**values, **speed})
            if self.failure:
                return

    def _check(self, step: int, values: dict[str, float]) -> None:
        """Sets `failure` if the guard detects one; the message names the last checkpoint."""
        try:
            self._guard.check(step, values)
        except TrainingFailed as failure:
            last_step = max(self.checkpoints.steps(), default=0)
            message = f"{failure}. The last checkpoint is step {last_step} in {self.workdir.checkpoints}"
            self._fail(type(failure)(message), step)

    def _fail(self, failure: TrainingFailed, step: int) -> None:
        self.failure, self.failed_step, self.status.failed = failure, step, True

    def after(self, call: Call, state: GanState, seconds: float) -> None:
        """Writes everything that is due after a call: validation scores, a sample grid, a checkpoint.

        seconds: training time in this process, here and in the other methods.
        """
        config, at_end = self._config, call.end == self.status.total
        # A run with validation scores also gets one at its end, so that its last state can be the best.
        score = call.is_due(config.eval.every_steps) or bool(at_end and self.validation and self.validation.any)
        if score:
            self._records.scalars(call.end, self.validation.score(call.end, state))
            self.status.stopped_early = self.validation.exhausted
        if call.is_due(config.sample_every_steps) and not at_end:
            self.save_grid(state)
        # A checkpoint with every score: a resumed run then repeats one score at most.
        if (call.is_due(config.checkpoint_every_steps) or score) and not self._guard.suspicious:
            self.save(state, seconds)
        if self.status.finished:
            self.save(state, seconds)

    def save_grid(self, state: GanState) -> None:
        """Writes a picture of samples; if G takes labels, one column per class. Every grid of a run uses the same z."""
        labels = np.tile(np.arange(_GRID_SIDE, dtype=np.int32) % self._dataset.num_classes, _GRID_SIDE)
        images = to_uint8(self._sample(state, keys(self.status.seed).sample, labels))
        names = [self._dataset.class_names[label] for label in labels[:_GRID_SIDE]] if self._conditional else ()
        picture = pictures.grid(images, _GRID_SIDE, names)
        pictures.write_png(self._grid_path, picture)
        self._records.image(self.status.step, SAMPLES, picture)

    @property
    def _grid_path(self) -> pathlib.Path:
        return self.workdir.samples / f"step-{self.status.step:06d}.png"

    def save(self, state: GanState, seconds: float) -> None:
        """Saves a checkpoint of `status.step`, unless there is one already."""
        if self.status.step not in self.checkpoints.steps():
            self._records.flush()
            self.checkpoints.save(self.status.step, state)
            # If the process is killed later, the time up to this checkpoint is not lost.
            self.workdir.update_run(**self._times(seconds))

    def _times(self, seconds: float) -> dict[str, float]:
        """The entries of run.json with the times of this process and of all earlier ones."""
        times = {"seconds": seconds, "validation_seconds": self.validation.seconds if self.validation else 0.0}
        return {name: round(self._previous_info.get(name, 0.0) + time, 1) for name, time in times.items()}

    @property
    def outcome(self) -> str:
        """The final status in run.json."""
        if self.failure:
            return self.failure.status
        return "completed" if self.status.finished else "interrupted"

    def close(self, seconds: float) -> None:
        """Closes the files; writes the final status and, for a completed run, the loss curves."""
        if not self._records:  # It was never opened, so the run has not changed.
            return
        self._records.close()
        self.checkpoints.close()
        self.workdir.update_run(
            status=self.outcome,
            step=self.status.step,
            **self._times(seconds),
            **({"guard": self._config.guard.to_dict()} if self.failure else {}),  # The guard that has ended the run.
        )
        if self.outcome == "completed":
            pictures.write_loss_curves(self.workdir.path / "losses.png", read_metrics(self.workdir.metrics))
