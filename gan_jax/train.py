"""The host loop: calls of several compiled steps for one seed or many, what is due between them, interrupts."""

import contextlib
import pathlib
import time

import jax
from ml_collections import ConfigDict

from gan_jax import build, mesh, seeds, steps, workdir
from gan_jax.data.dataset import Dataset
from gan_jax.engine import Together, choose_engine
from gan_jax.errors import Interrupted, TrainingFailed
from gan_jax.interrupts import Interrupts
from gan_jax.progress import Progress
from gan_jax.run import Run
from gan_jax.run_data import check_data, describe, load_data
from gan_jax.states import examples, init_state, keys, restore


class _Training:
    """The runs of all seeds, and the engine that trains them: everything that the loop needs between two calls.

    held: keeps the workdir locked until the caller lets go of it.
    """

    def __init__(
        self,
        config: ConfigDict,
        folder: workdir.Workdir,
        dataset: Dataset,
        data_dir: str,
        held: contextlib.ExitStack,
    ):
        total = build.num_steps(config, len(dataset.train.labels))
        self.config, self.total, self.step = config, total, total
        self.place = mesh.place(config.mesh, config.batch_size, config.num_seeds)
        self.gan = build.build(config, dataset.image_shape, dataset.num_classes, total)
        everyone = seeds.members(config, folder)
        data = {own.seed: steps.training_data(own, dataset) for own, _ in everyone}
        folder.start(config)
        held.enter_context(folder.locked())
        for own, place in everyone:
            place.start(own)
        self.runs = [Run(own, place, dataset, total) for own, place in seeds.unfinished(everyone)]
        if self.runs:
            self._open(dataset.image_shape, [data[run.config.seed] for run in self.runs], data_dir)

    def _open(self, image_shape: tuple, data: list, data_dir: str) -> None:
        """States from the newest checkpoint that every seed has, or untrained; the records go on from there."""
        for run in self.runs:
            run.checkpoints.remove_leftovers()
        self.step = seeds.common_step([run.checkpoints.steps() for run in self.runs])
        states = []
        for run, own in zip(self.runs, data, strict=True):
            state = None
            if self.step:
                _, state = restore(run.checkpoints, self.gan, run.config, image_shape, self.step)
            states.append(state or init_state(self.gan, run.config, image_shape, examples(run.config, own)))
        sample, judge = jax.jit(self.gan.sample), jax.jit(self.gan.judge)
        for run in self.runs:
            run.open(self.step, sample, judge, data_dir)
        step_keys = [keys(run.config.seed)[1] for run in self.runs]
        engine = Together if self.place.num_seed_shares > 1 else choose_engine(len(self.runs))
        self.engine = engine(self.gan, [run.config for run in self.runs], data, states, step_keys, self.place)

    @property
    def live(self) -> list[int]:
        return [i for i, run in enumerate(self.runs) if run.live]

    def advance(self) -> tuple[int, dict[int, dict]]:
        """Dispatches one call, which never ends in the middle of a checkpoint's or a score's interval."""
        config = self.config
        intervals = (config.steps_per_call, config.checkpoint_every_steps, config.eval.every_steps)
        count = min(self.total, *((self.step // n + 1) * n for n in intervals if n)) - self.step
        metrics = self.engine.advance(self.step, count, self.live)
        self.step += count
        for i in metrics:
            self.runs[i].step = self.step
        return count, metrics

    def loop(self, interrupts: Interrupts) -> None:
        """Records of a call are written while the next one runs, and always before its samples and checkpoint."""
        if not self.runs:
            return
        progress, waiting = Progress(self.total, self.step), []

        def write_records():
            while waiting:
                last_step, count, metrics = waiting.pop(0)
                for i, values in metrics.items():
                    if not self.runs[i].failure:
                        self.runs[i].record(last_step, count, values, progress.rate)
                progress.update(last_step)

        while self.live and not interrupts.received:
            count, metrics = self.advance()
            write_records()
            waiting.append((self.step, count, metrics))
            if any(self.runs[i].due(count) for i in metrics):
                write_records()
                for i in (i for i in metrics if not self.runs[i].failure):
                    self.runs[i].after(count, lambda i=i: self.engine.state(i))
                    if not self.runs[i].live:
                        self.runs[i].save(self.engine.state(i))
        write_records()
        progress.close()
        for i in self.live:
            self.runs[i].save(self.engine.state(i))
        self._report(progress.seconds)

    def save_grids(self) -> None:
        """The last pictures of every seed that has completed."""
        for i, run in enumerate(self.runs):
            if run.status == "completed":
                run.save_grid(self.engine.state(i))

    def _report(self, seconds: float) -> None:
        for run in self.runs:
            if run.validation and run.validation.any:
                name = f"seed {run.config.seed}: " if len(self.runs) > 1 else ""
                print(name + run.validation.summary(seconds))
            if run.finished and run.step < self.total:
                best = run.validation.best_step
                print(f"stopped early at step {run.step}: validation was best at step {best}")


def train(config: ConfigDict, path: str, data_dir: str = "") -> pathlib.Path:
    """Trains `config` in the workdir `path`, or continues what lies there; returns the last sample grid.

    With config.num_seeds > 1 each seed has a workdir of its own inside, and the first one's grid is returned.
    """
    with Interrupts() as interrupts, contextlib.ExitStack() as held:
        return _train(config, workdir.Workdir(path), data_dir, interrupts, held)


def _train(
    config: ConfigDict, folder: workdir.Workdir, data_dir: str, interrupts: Interrupts, held: contextlib.ExitStack
) -> pathlib.Path:
    began, before, dataset = time.time(), folder.run(), load_data(config, data_dir)
    data = describe(dataset)
    if "data" in before:
        check_data(folder.path, before["data"], data)
    training = _Training(config, folder, dataset, data_dir, held)
    earlier = [run.folder.run() for run in training.runs]
    about = {**workdir.provenance(), "data": data, "status": "running", "num_steps": training.total}
    for place in (folder, *(run.folder for run in training.runs if run.folder is not folder)):
        place.update_run(**about)
    try:
        training.loop(interrupts)
        training.save_grids()
    finally:
        for run, old in zip(training.runs, earlier, strict=True):
            run.close(time.time() - began, old)
        if config.num_seeds > 1:
            seconds = before.get("seconds", 0.0) + time.time() - began
            status = "interrupted" if training.live else "completed"
            folder.update_run(status=status, step=training.step, seconds=round(seconds, 1))
    if interrupts.received and training.live:
        raise Interrupted(
            f"{interrupts.received}: saved at step {training.step} of {training.total}; run the same command with "
            f"--workdir={folder.path} to continue"
        )
    return _last_grid(training, seeds.members(config, folder))


def _last_grid(training: _Training, everyone: list[tuple[ConfigDict, workdir.Workdir]]) -> pathlib.Path:
    """The grid of the first seed that has completed; a failed seed is an error where it is the only one, or all are."""
    failed = [run for run in training.runs if run.failure]
    completed = [place for _, place in everyone if place.run()["status"] == "completed"]
    if not completed:
        raise failed[0].failure if failed else TrainingFailed(f"every seed in {everyone[0][1].path.parent} failed")
    for run in failed:
        print(f"seed {run.config.seed}: {run.failure}")
    return sorted(completed[0].samples.glob("step-*.png"))[-1]
