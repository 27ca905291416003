"""The host loop: calls of several compiled steps, records, samples, checkpoints, interrupts."""

import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax import build, pictures, steps, workdir
from gan_jax import config as configs
from gan_jax.checkpoint import Checkpoints
from gan_jax.config import choose
from gan_jax.data import sources
from gan_jax.data.dataset import Dataset, hold_out, to_float, to_uint8
from gan_jax.errors import DataUnavailable, Interrupted, TrainingFailed
from gan_jax.guard import Guard
from gan_jax.interrupts import Interrupts
from gan_jax.objectives import OBJECTIVES
from gan_jax.progress import Progress
from gan_jax.records import Records, read_metrics
from gan_jax.types import Batch, Gan, GanState
from gan_jax.validation import KEPT, Validation

_GRID_SIDE = 10


def load_data(config: ConfigDict, data_dir: str) -> Dataset:
    """The data set that the config names, with its validation images set apart."""
    section = config.data
    dataset = sources.load(section.name, section.dir, section.fallback, section.image_size, section.channels, data_dir)
    return hold_out(dataset, section.num_validation)


def _keys(seed: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(init, step, sample) keys of a run."""
    return tuple(jax.random.split(jax.random.key(seed), 3))


def init_state(gan: Gan, config: ConfigDict, image_shape: tuple[int, ...], real: Batch | None = None) -> GanState:
    """The untrained state. `real`: what it depends on where a start depends on data; without, only its shapes hold."""
    size = config.init_batch_size
    if real is None:
        real = Batch(jnp.zeros((size, *image_shape)), jnp.zeros((size,), jnp.int32))
    return jax.jit(gan.init)(_keys(config.seed)[0], real)


def examples(config: ConfigDict, data: Batch) -> Batch:
    """Training images that starts depend on: the same for the same seed."""
    chosen = np.random.default_rng([config.seed, 0, 2]).integers(0, len(data.labels), config.init_batch_size)
    return Batch(to_float(data.images[chosen]), data.labels[chosen])


def restore(
    checkpoints: Checkpoints, gan: Gan, config: ConfigDict, image_shape: tuple[int, ...], step: int | None = None
) -> tuple[int, GanState | None]:
    """(step, state) of the checkpoint of `step`, by default the newest, or (0, None) where there is none."""
    if not checkpoints.steps():
        return 0, None
    step = checkpoints.steps()[-1] if step is None else step
    return step, checkpoints.restore(step, jax.eval_shape(lambda: init_state(gan, config, image_shape)))


class _Run:
    """One training run: everything that the loop needs between two calls."""

    def __init__(self, config: ConfigDict, folder: workdir.Workdir, dataset: Dataset, data_dir: str):
        self.config, self.folder = config, folder
        self.total = build.num_steps(config, len(dataset.train.labels))
        self.gan = build.build(config, dataset.image_shape, dataset.num_classes, self.total)
        self.rates = build.schedules(config, self.total)
        zero_means_won = choose(OBJECTIVES, config.objective, "objective").zero_means_won
        self.guard = Guard(**config.guard, zero_means_won=zero_means_won)
        data = steps.training_data(config, dataset)
        folder.start(config)
        self.checkpoints = Checkpoints(folder.checkpoints, config.keep_checkpoints)
        self.checkpoints.remove_leftovers()
        self.step, self.state = restore(self.checkpoints, self.gan, config, dataset.image_shape)
        if self.state is None:
            self.state = init_state(self.gan, config, dataset.image_shape, examples(config, data))
        self.data, self.order = jax.device_put(data), steps.Order(config, data)
        self.call = steps.compile_steps(self.gan, config.steps_per_call)
        self.sample = jax.jit(self.gan.sample)
        _, self.step_key, self.sample_key = _keys(config.seed)
        self.grid_labels = jnp.tile(jnp.arange(_GRID_SIDE) % dataset.num_classes, _GRID_SIDE)
        self.records = Records(folder.path, folder.metrics, self.step)
        self.validation = self._validation(dataset, data_dir) if config.eval.every_steps else None

    def _validation(self, dataset: Dataset, data_dir: str) -> Validation:
        best = Checkpoints(self.folder.best, KEPT)
        best.remove_leftovers()
        best.remove_after(self.step)
        conditional, rows = build.is_conditional(self.config), read_metrics(self.folder.metrics)
        return Validation(self.config.eval, dataset, self.sample, conditional, rows, best, data_dir)

    @property
    def finished(self) -> bool:
        return self.step >= self.total or bool(self.validation and self.validation.exhausted)

    def advance(self) -> tuple[int, dict]:
        """Dispatches one call, which never ends in the middle of a checkpoint's or a score's interval."""
        config = self.config
        intervals = (config.steps_per_call, config.checkpoint_every_steps, config.eval.every_steps)
        count = min(self.total, *((self.step // n + 1) * n for n in intervals if n)) - self.step
        self.state, metrics = self.call(self.state, self.data, self.order(self.step, count), count, self.step_key)
        self.step += count
        return count, metrics

    def record(self, last_step: int, count: int, metrics: dict, steps_per_second: float) -> None:
        """Writes the rows of one call; TrainingFailed at the step at which the guard ends the run."""
        metrics = {name: np.asarray(values)[:count] for name, values in metrics.items()}
        for index, step in enumerate(range(last_step - count + 1, last_step + 1)):
            values = {name: float(array[index]) for name, array in sorted(metrics.items())}
            failure = self._failure(step, values)
            if step % self.config.log_every_steps == 0 or step == self.total or failure:
                values["d_learning_rate"] = float(self.rates["d"](step * self.config.d_steps))
                values["g_learning_rate"] = float(self.rates["g"](step))
                self.records.scalars(step, {**values, "steps_per_second": steps_per_second})
            if failure:
                raise failure

    def _failure(self, step: int, values: dict[str, float]) -> TrainingFailed | None:
        try:
            self.guard.check(step, values)
        except TrainingFailed as failure:
            last = max(self.checkpoints.steps(), default=0)
            return type(failure)(f"{failure}. The last checkpoint is step {last} in {self.folder.checkpoints}")
        return None

    def score(self) -> None:
        """The validation scores of the current step, as a row of its own."""
        self.records.scalars(self.step, self.validation.score(self.step, self.state))

    def save_grid(self, step: int) -> pathlib.Path:
        images = to_uint8(self.sample(self.state, self.sample_key, self.grid_labels))
        picture, path = pictures.grid(images, _GRID_SIDE), self.folder.samples / f"step-{step:06d}.png"
        pictures.write_png(path, picture)
        self.records.image(step, "samples", picture)
        return path

    def save(self) -> None:
        if self.step not in self.checkpoints.steps():
            self.records.flush()
            self.checkpoints.save(self.step, self.state)

    def crosses(self, count: int, every: int) -> bool:
        """Whether a multiple of `every` lies in the last `count` steps."""
        return bool(every) and self.step // every > (self.step - count) // every

    def loop(self, interrupts: Interrupts) -> None:
        """Records of a call are written while the next one runs, and always before its samples and checkpoint."""
        progress, waiting = Progress(self.total, self.step), []

        def write_records():
            while waiting:
                last_step, count, metrics = waiting.pop(0)
                self.record(last_step, count, metrics, progress.rate)
                progress.update(last_step)

        while not (self.finished or interrupts.received):
            count, metrics = self.advance()
            write_records()
            waiting.append((self.step, count, metrics))
            sample, save, score = (
                self.crosses(count, every)
                for every in (
                    self.config.sample_every_steps,
                    self.config.checkpoint_every_steps,
                    self.config.eval.every_steps,
                )
            )
            last = self.step == self.total
            # A run that was ever scored is also scored at its end: the last state is one to choose from.
            score = score or bool(last and self.validation and self.validation.any)
            if sample or save or score or last:
                write_records()
            if score:
                self.score()
            if sample and not last:
                self.save_grid(self.step)
            # A score is saved with its step, so that a resumed run never goes back by more than one.
            if (save or score) and not self.guard.suspicious:
                self.save()
        write_records()
        progress.close()
        self.save()
        if interrupts.received and not self.finished:
            raise Interrupted(
                f"{interrupts.received}: saved at step {self.step} of {self.total}; run the same command with "
                f"--workdir={self.folder.path} to continue"
            )
        if self.validation and self.validation.any:
            print(self.validation.summary(progress.seconds))
        if self.step < self.total:
            print(f"stopped early at step {self.step}: validation was best at step {self.validation.best_step}")


def describe(dataset: Dataset) -> dict:
    """What run.json says of the data."""
    return {
        "requested": dataset.requested,
        "used": dataset.name,
        "source": dataset.source,
        "fingerprint": dataset.fingerprint(),
        "num_train": len(dataset.train.labels),
        "num_test": len(dataset.test.labels),
        "num_validation": len(dataset.validation.labels) if dataset.validation else 0,
        "image_shape": list(dataset.image_shape),
        "num_classes": dataset.num_classes,
    }


def check_data(path: str | pathlib.Path, before: dict, now: dict) -> None:
    """DataUnavailable where a run's data is not the data it was trained on."""
    if before["fingerprint"] != now["fingerprint"]:
        raise DataUnavailable(
            f"the run in {path} was trained on {before['used']} from {before['source']}; found {now['used']} from "
            f"{now['source']}, which holds other images. Restore the first, or choose another workdir"
        )


def train(config: ConfigDict, path: str, data_dir: str = "") -> pathlib.Path:
    """Trains `config` in the workdir `path`, or continues what lies there; returns the last sample grid."""
    with Interrupts() as interrupts:
        return _train(config, workdir.Workdir(path), data_dir, interrupts)


def _train(config: ConfigDict, folder: workdir.Workdir, data_dir: str, interrupts: Interrupts) -> pathlib.Path:
    began, before, dataset = time.time(), folder.run(), load_data(config, data_dir)
    data = describe(dataset)
    if "data" in before:
        check_data(folder.path, before["data"], data)
    run = _Run(config, folder, dataset, data_dir)
    folder.update_run(**workdir.provenance(), data=data, status="running", num_steps=run.total)
    run.records.hparams(configs.leaves(config))
    status = "interrupted"
    try:
        run.loop(interrupts)
        status, grid = "completed", run.save_grid(run.step)
    except TrainingFailed as failure:
        status = failure.status
        raise
    finally:
        run.records.close()
        run.checkpoints.close()
        seconds = before.get("seconds", 0.0) + time.time() - began
        scoring = before.get("validation_seconds", 0.0) + (run.validation.seconds if run.validation else 0.0)
        folder.update_run(status=status, step=run.step, seconds=round(seconds, 1), validation_seconds=round(scoring, 1))
    pictures.write_loss_curves(folder.path / "losses.png", read_metrics(folder.metrics))
    return grid
