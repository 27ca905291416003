"""The host loop: calls of several compiled steps for one seed or many, what is due between them, interrupts."""

import contextlib
import pathlib
import signal
import time

import jax
import numpy as np
from ml_collections import ConfigDict

from gan_jax import build, hosts, mesh, seeds, steps, workdir
from gan_jax import config as configs
from gan_jax.data.dataset import Dataset
from gan_jax.engine import Together, choose_engine
from gan_jax.errors import Interrupted, TrainingFailed
from gan_jax.interrupts import Interrupts
from gan_jax.progress import Progress
from gan_jax.run import Run, Shadow, due
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
        self.config, self.total, self.step, self.stopped = config, total, total, None
        self.place = mesh.place(config.mesh, config.batch_size, config.num_seeds)
        self.gan = build.build(config, dataset.image_shape, dataset.num_classes, total)
        everyone = seeds.members(config, folder)
        data = {own.seed: steps.training_data(own, dataset) for own, _ in everyone}
        if hosts.leads():
            folder.start(config)
            held.enter_context(folder.locked())
            for own, place in everyone:
                place.start(own)
        left = [own.seed for own, _ in (seeds.unfinished(everyone) if hosts.leads() else [])]
        left = hosts.from_leader(np.array([own.seed in left for own, _ in everyone], np.int32))
        self.runs = [
            Run(own, place, dataset, total) if hosts.leads() else Shadow(own)
            for (own, place), is_left in zip(everyone, left, strict=True)
            if is_left
        ]
        if self.runs:
            self._open(dataset.image_shape, [data[run.config.seed] for run in self.runs], data_dir)

    def _open(self, image_shape: tuple, data: list, data_dir: str) -> None:
        """States from the newest checkpoint that every seed has, or untrained; the records go on from there."""
        found = self._find(image_shape, data) if hosts.leads() else self._expect(image_shape)
        step, states = hosts.from_leader(found)
        self.step = int(step)
        sample, judge = jax.jit(self.gan.sample), jax.jit(self.gan.judge)
        for run in self.runs:
            if hosts.leads():
                run.open(self.step, sample, judge, data_dir)
            run.step = self.step
        step_keys = [keys(run.config.seed)[1] for run in self.runs]
        engine = Together if self.place.num_seed_shares > 1 else choose_engine(len(self.runs))
        self.engine = engine(self.gan, [run.config for run in self.runs], data, states, step_keys, self.place)

    def _find(self, image_shape: tuple, data: list) -> tuple[int, list]:
        """(step, state of each run) that training goes on from."""
        for run in self.runs:
            run.checkpoints.remove_leftovers()
        step = seeds.common_step([run.checkpoints.steps() for run in self.runs])
        states = []
        for run, own in zip(self.runs, data, strict=True):
            state = None
            if step:
                _, state = restore(run.checkpoints, self.gan, run.config, image_shape, step)
            states.append(state or init_state(self.gan, run.config, image_shape, examples(run.config, own)))
        return step, states

    def _expect(self, image_shape: tuple) -> tuple[int, list]:
        """The same in shapes alone, for what the process that leads will say."""
        state = jax.eval_shape(lambda: init_state(self.gan, self.runs[0].config, image_shape))
        return 0, [jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), state)] * len(self.runs)

    def _agree(self, interrupts: Interrupts) -> None:
        """Every process hears of a signal to any of them, and how the runs go from the one that leads.

        What all of them do next depends on nothing else: a signal that comes after this waits for the next time.
        """
        number = signal.Signals[interrupts.received].value if interrupts.received else 0
        ours = [number, *(bool(run.failure) for run in self.runs), *(run.live for run in self.runs)]
        told = hosts.from_all(np.array(ours, np.int32))
        number = told[:, 0].max()
        self.stopped = signal.Signals(number).name if number else None
        if not hosts.leads():
            for run, failed, live in zip(self.runs, *np.split(told[0, 1:] > 0, 2), strict=True):
                run.hear(failed, live)

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
        progress, waiting = Progress(self.total, self.step, show=hosts.leads()), []

        def write_records():
            while waiting:
                last_step, count, metrics = waiting.pop(0)
                for i, values in metrics.items():
                    if not self.runs[i].failure:
                        self.runs[i].record(last_step, count, values, progress.rate)
                progress.update(last_step)

        self._agree(interrupts)
        while self.live and not self.stopped:
            count, metrics = self.advance()
            write_records()
            waiting.append((self.step, count, metrics))
            if due(self.config, self.step, count, self.total):
                write_records()
                self._agree(interrupts)
                for i in (i for i in metrics if not self.runs[i].failure):
                    state = self.engine.state(i)
                    self.runs[i].after(count, lambda state=state: state)
                    if not self.runs[i].live:
                        self.runs[i].save(state)
            self._agree(interrupts)
        write_records()
        self._agree(interrupts)
        progress.close()
        for i in self.live:
            self.runs[i].save(self.engine.state(i))
        self._report(progress.seconds)

    def save_grids(self) -> None:
        """The last pictures of every seed that has completed."""
        for i, run in enumerate(self.runs):
            state = self.engine.state(i)
            if run.status == "completed":
                run.save_grid(state)

    def _report(self, seconds: float) -> None:
        for run in self.runs:
            if run.validation and run.validation.any:
                name = f"seed {run.config.seed}: " if len(self.runs) > 1 else ""
                print(name + run.validation.summary(seconds))
            if run.finished and run.step < self.total:
                best = run.validation.best_step
                print(f"stopped early at step {run.step}: validation was best at step {best}")


def train(config: ConfigDict, path: str, data_dir: str = "") -> pathlib.Path | None:
    """Trains `config` in the workdir `path`, or continues what lies there; returns the last sample grid.

    With config.num_seeds > 1 each seed has a workdir of its own inside, and the first one's grid is returned. Of
    several processes only the one that leads has a workdir; the others return None.
    """
    with Interrupts() as interrupts, contextlib.ExitStack() as held:
        try:
            return _train(config, workdir.Workdir(path), data_dir, interrupts, held)
        except Exception as error:
            if gone := hosts.lost(error):
                raise gone from error
            raise


def _train(
    config: ConfigDict, folder: workdir.Workdir, data_dir: str, interrupts: Interrupts, held: contextlib.ExitStack
) -> pathlib.Path | None:
    began, dataset = time.time(), load_data(config, data_dir)
    before, data = folder.run() if hosts.leads() else {}, describe(dataset)
    hosts.check_same(configs.to_json(config) + data["fingerprint"])
    if "data" in before:
        check_data(folder.path, before["data"], data)
    training = _Training(config, folder, dataset, data_dir, held)
    if not hosts.leads():
        return _follow(training, interrupts)
    earlier = [run.folder.run() for run in training.runs]
    about = {**workdir.provenance(), "data": data, "status": "running", "num_steps": training.total}
    for place in (folder, *(run.folder for run in training.runs if run.folder is not folder)):
        place.update_run(**about)
    try:
        training.loop(interrupts)
        training.save_grids()
        hosts.leave()
    finally:
        for run, old in zip(training.runs, earlier, strict=True):
            run.close(time.time() - began, old)
        if config.num_seeds > 1:
            seconds = before.get("seconds", 0.0) + time.time() - began
            status = "interrupted" if training.live else "completed"
            folder.update_run(status=status, step=training.step, seconds=round(seconds, 1))
    if training.stopped and training.live:
        raise Interrupted(
            f"{training.stopped}: saved at step {training.step} of {training.total}; run the same command with "
            f"--workdir={folder.path} to continue"
        )
    return _last_grid(training, seeds.members(config, folder))


def _follow(training: _Training, interrupts: Interrupts) -> None:
    """What a process does that does not lead."""
    training.loop(interrupts)
    training.save_grids()
    hosts.leave()
    if training.stopped and training.live:
        raise Interrupted(f"{training.stopped}: process 0 saved at step {training.step} of {training.total}")
    if training.config.num_seeds == 1 and any(run.failure for run in training.runs):
        raise TrainingFailed("training has failed; process 0 says how")


def _last_grid(training: _Training, everyone: list[tuple[ConfigDict, workdir.Workdir]]) -> pathlib.Path:
    """The grid of the first seed that has completed; a failed seed is an error where it is the only one, or all are."""
    failed = [run for run in training.runs if run.failure]
    completed = [place for _, place in everyone if place.run()["status"] == "completed"]
    if not completed:
        raise failed[0].failure if failed else TrainingFailed(f"every seed in {everyone[0][1].path.parent} failed")
    for run in failed:
        print(f"seed {run.config.seed}: {run.failure}")
    return sorted(completed[0].samples.glob("step-*.png"))[-1]
