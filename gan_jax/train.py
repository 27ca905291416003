"""The host loop: calls of several compiled steps, records, samples, checkpoints, interrupts."""

import pathlib
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax import build, pictures, workdir
from gan_jax import config as configs
from gan_jax.checkpoint import Checkpoints
from gan_jax.data import sources
from gan_jax.data.dataset import BatchOrder, Dataset, to_float, to_uint8
from gan_jax.errors import DataUnavailable, Interrupted, TrainingFailed
from gan_jax.interrupts import Interrupts
from gan_jax.progress import Progress
from gan_jax.records import Records, read_metrics
from gan_jax.types import Batch, Gan, GanState

_GRID_SIDE = 10


def load_data(config: ConfigDict, data_dir: str) -> Dataset:
    """The data set that the config names."""
    section = config.data
    return sources.load(section.name, section.dir, section.fallback, section.image_size, section.channels, data_dir)


def _keys(seed: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(init, step, sample) keys of a run."""
    return tuple(jax.random.split(jax.random.key(seed), 3))


def init_state(gan: Gan, config: ConfigDict, image_shape: tuple[int, ...]) -> GanState:
    """The untrained state. Its sizes do not depend on the batch's."""
    batch = Batch(jnp.zeros((2, *image_shape)), jnp.zeros((2,), jnp.int32))
    return jax.jit(gan.init)(_keys(config.seed)[0], batch)


def restore(
    checkpoints: Checkpoints, gan: Gan, config: ConfigDict, image_shape: tuple[int, ...]
) -> tuple[int, GanState | None]:
    """(step, state) of the newest checkpoint, or (0, None) where there is none."""
    if not checkpoints.steps():
        return 0, None
    step = checkpoints.steps()[-1]
    return step, checkpoints.restore(step, jax.eval_shape(lambda: init_state(gan, config, image_shape)))


def compile_steps(gan: Gan, steps_per_call: int) -> Callable:
    """jit of (state, images, labels, indices, count, key) -> (state, metrics): `count` steps in one call.

    images uint8 [N, H, W, C] and labels [N] stay on the device; indices int32 [steps_per_call, d_steps, B] say which
    of them each step reads. metrics are arrays [steps_per_call] of which the first `count` entries hold. `count` is
    an argument, so that a run's last and shorter call is the same program.
    """

    def call(state, images, labels, indices, count, key):
        def body(i, carry):
            state, metrics = carry
            batches = Batch(to_float(images[indices[i]]), labels[indices[i]])
            state, values = gan.step(state, batches, key)
            return state, jax.tree.map(lambda all_steps, value: all_steps.at[i].set(value), metrics, values)

        shapes = jax.eval_shape(body_metrics, state, images, labels, indices, key)
        metrics = jax.tree.map(lambda leaf: jnp.zeros((steps_per_call,), leaf.dtype), shapes)
        return jax.lax.fori_loop(0, count, body, (state, metrics))

    def body_metrics(state, images, labels, indices, key):
        return gan.step(state, Batch(to_float(images[indices[0]]), labels[indices[0]]), key)[1]

    return jax.jit(call, donate_argnums=0)


class _Run:
    """One training run: everything that the loop needs between two calls."""

    def __init__(self, config: ConfigDict, folder: workdir.Workdir, dataset: Dataset):
        self.config, self.folder = config, folder
        self.total = build.num_steps(config, len(dataset.train.labels))
        self.gan = build.build(config, dataset.image_shape, dataset.num_classes, self.total)
        self.rates = build.schedules(config, self.total)
        folder.start(config)
        self.checkpoints = Checkpoints(folder.checkpoints, config.keep_checkpoints)
        self.checkpoints.remove_leftovers()
        self.step, self.state = restore(self.checkpoints, self.gan, config, dataset.image_shape)
        if self.state is None:
            self.state = init_state(self.gan, config, dataset.image_shape)
        self.images, self.labels = jax.device_put(tuple(dataset.train))
        self.order = BatchOrder(config.seed, len(self.labels), config.d_steps, config.batch_size)
        self.call = compile_steps(self.gan, config.steps_per_call)
        self.sample = jax.jit(self.gan.sample)
        _, self.step_key, self.sample_key = _keys(config.seed)
        self.grid_labels = jnp.tile(jnp.arange(_GRID_SIDE) % dataset.num_classes, _GRID_SIDE)
        self.records = Records(folder.path, folder.metrics, self.step)

    def advance(self) -> tuple[int, dict]:
        """Dispatches one call, which never ends in the middle of a checkpoint interval: (steps, metrics to come)."""
        every = self.config.steps_per_call
        boundaries = [(self.step // n + 1) * n for n in (every, self.config.checkpoint_every_steps) if n]
        count = min(*boundaries, self.total) - self.step
        indices = np.zeros((every, self.config.d_steps, self.config.batch_size), np.int32)
        indices[:count] = self.order(self.step, count)
        self.state, metrics = self.call(self.state, self.images, self.labels, indices, count, self.step_key)
        self.step += count
        return count, metrics

    def record(self, last_step: int, count: int, metrics: dict, steps_per_second: float) -> None:
        """Writes the rows of one call; TrainingFailed at the first step whose losses are not finite."""
        metrics = {name: np.asarray(values)[:count] for name, values in metrics.items()}
        finite = np.isfinite(metrics["d_loss"]) & np.isfinite(metrics["g_loss"])
        for index, step in enumerate(range(last_step - count + 1, last_step + 1)):
            if step % self.config.log_every_steps == 0 or step == self.total or not finite[index]:
                values = {name: float(array[index]) for name, array in sorted(metrics.items())}
                values["d_learning_rate"] = float(self.rates["d"](step * self.config.d_steps))
                values["g_learning_rate"] = float(self.rates["g"](step))
                self.records.scalars(step, {**values, "steps_per_second": steps_per_second})
            if not finite[index]:
                raise TrainingFailed(
                    f"training diverged: a loss is not finite at step {step}; lower the learning rates. The last "
                    f"checkpoint is step {max(self.checkpoints.steps(), default=0)} in {self.folder.checkpoints}"
                )

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

        while self.step < self.total and not interrupts.received:
            count, metrics = self.advance()
            write_records()
            waiting.append((self.step, count, metrics))
            sample, save = (
                self.crosses(count, every)
                for every in (self.config.sample_every_steps, self.config.checkpoint_every_steps)
            )
            if sample or save or self.step == self.total:
                write_records()
            if sample and self.step < self.total:
                self.save_grid(self.step)
            if save:
                self.save()
        write_records()
        progress.close()
        self.save()
        if interrupts.received and self.step < self.total:
            raise Interrupted(
                f"{interrupts.received}: saved at step {self.step} of {self.total}; run the same command with "
                f"--workdir={self.folder.path} to continue"
            )


def describe(dataset: Dataset) -> dict:
    """What run.json says of the data."""
    return {
        "requested": dataset.requested,
        "used": dataset.name,
        "source": dataset.source,
        "fingerprint": dataset.fingerprint(),
        "num_train": len(dataset.train.labels),
        "num_test": len(dataset.test.labels),
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
    run = _Run(config, folder, dataset)
    folder.update_run(**workdir.provenance(), data=data, status="running", num_steps=run.total)
    run.records.hparams(configs.leaves(config))
    status = "interrupted"
    try:
        run.loop(interrupts)
        status, grid = "completed", run.save_grid(run.step)
    except TrainingFailed:
        status = "diverged"
        raise
    finally:
        run.records.close()
        run.checkpoints.close()
        seconds = before.get("seconds", 0.0) + time.time() - began
        folder.update_run(status=status, step=run.step, seconds=round(seconds, 1))
    pictures.write_loss_curves(folder.path / "losses.png", read_metrics(folder.metrics))
    return grid
