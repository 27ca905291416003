"""The host loop: calls of several compiled steps for one seed or many, and what is due between them."""

import contextlib
import signal
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from gan_jax import build
from gan_jax.data.dataset import Dataset
from gan_jax.data.feed import is_streamed
from gan_jax.devices import compiler, hosts, mesh
from gan_jax.gan.types import GanState
from gan_jax.runs import seeds, workdir
from gan_jax.runs.initial_state import examples, init_state, keys, restore
from gan_jax.semi_supervised import codistillation
from gan_jax.semi_supervised.labels import check_labels, label_graph, training_data
from gan_jax.system.errors import UserError
from gan_jax.system.interrupts import Interrupts
from gan_jax.system.progress import Progress
from gan_jax.training import diagnosis
from gan_jax.training.programs import InTurn, Together, choose_engine
from gan_jax.training.recorder import Run, Shadow, due


class Training:
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
        check_labels(config, dataset)
        codistillation.check(config, [own for own, _ in everyone])
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
        self._image_shape = dataset.image_shape
        if self.runs:
            graph = label_graph(config, dataset, data_dir)
            self._data = [training_data(run.config, dataset, graph) for run in self.runs]
            self._open(data_dir)
            held.callback(self.engine.close)

    def _open(self, data_dir: str) -> None:
        """States from the newest checkpoint that every seed has, or untrained; the records go on from there."""
        found = self._find() if hosts.leads() else self._expect()
        step, states = hosts.from_leader(found)
        self.step = int(step)
        sample, judge = compiler.jit(self.gan.sample), compiler.jit(self.gan.judge)
        for run in self.runs:
            if hosts.leads():
                run.open(self.step, sample, judge, data_dir)
            run.step = self.step
        step_keys = [keys(run.config.seed)[1] for run in self.runs]
        engine = self._choose_engine()
        self.engine = engine(self.gan, [run.config for run in self.runs], self._data, states, step_keys, self.place)

    def _choose_engine(self) -> type:
        shares = self.place.num_seed_shares
        if not is_streamed(self._data[0]):
            return Together if shares > 1 else choose_engine(len(self.runs))
        # Seeds that read other images each have nothing to share.
        if shares > 1:
            raise UserError(
                f"mesh='{self.config.mesh}': seeds on devices of their own share images in memory, and these are read "
                "from files; set --config.mesh=data:-1, or --config.data.stream=never"
            )
        return InTurn

    def _find(self) -> tuple[int, list]:
        """(step, state of each run) that training goes on from."""
        for run in self.runs:
            run.checkpoints.remove_leftovers()
        step = seeds.common_step([run.checkpoints.steps() for run in self.runs])
        return step, [self._state(i, step) for i in range(len(self.runs))]

    def _state(self, i: int, step: int) -> GanState:
        """The state of a run at one of its checkpoints, or untrained at 0."""
        run, shape = self.runs[i], self._image_shape
        if step:
            return restore(run.checkpoints, self.gan, run.config, shape, step)[1]
        return init_state(self.gan, run.config, shape, examples(run.config, self._data[i]))

    def _expect(self) -> tuple[int, list]:
        """The same in shapes alone, for what the process that leads will say."""
        state = jax.eval_shape(lambda: init_state(self.gan, self.runs[0].config, self._image_shape))
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

    def advance(self) -> tuple[int, list[int], Any]:
        """Dispatches one call, which never ends in the middle of a checkpoint's or a score's interval.

        Returns how many steps it has, which runs take them, and their metrics for the engine to read.
        """
        config = self.config
        intervals = (config.steps_per_call, config.checkpoint_every_steps, config.eval.every_steps)
        count = min(self.total, *((self.step // n + 1) * n for n in intervals if n)) - self.step
        live = self.live
        metrics = self.engine.advance(self.step, count, live)
        self.step += count
        for i in live:
            self.runs[i].step = self.step
        return count, live, metrics

    def loop(self, interrupts: Interrupts) -> None:
        """Records of a call are written while the next one runs, and always before its samples and checkpoint."""
        if not self.runs:
            return
        progress, waiting = Progress(self.total, self.step, show=hosts.leads()), []

        def write_records():
            while waiting:
                last_step, count, metrics = waiting.pop(0)
                for i, values in self.engine.read(metrics).items():
                    if not self.runs[i].failure:
                        self.runs[i].record(last_step, count, values, progress.rate)
                progress.update(last_step)

        self._agree(interrupts)
        while self.live and not self.stopped:
            count, live, metrics = self.advance()
            write_records()
            waiting.append((self.step, count, metrics))
            if due(self.config, self.step, count, self.total):
                write_records()
                self._agree(interrupts)
                for i in (i for i in live if not self.runs[i].failure):
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

    def explain(self) -> None:
        """Tells of every run that has diverged, with guard.debug, where its first bad number came from."""
        for i, run in enumerate(self.runs):
            if run.config.guard.debug and run.failed_step and run.failure.status == "diverged":
                run.failure = type(run.failure)(f"{run.failure}. {self._diagnosis(i)}")

    def _diagnosis(self, i: int) -> str:
        """The steps from the last checkpoint on once more."""
        run = self.runs[i]
        step, key = max(run.checkpoints.steps(), default=0), keys(run.config.seed)[1]
        engine = InTurn(self.gan, [run.config], [self._data[i]], [self._state(i, step)], [key])
        with contextlib.closing(engine):
            return diagnosis.repeat(self.gan.step, engine, key, range(step, run.failed_step), run.config.steps_per_call)

    def save_grids(self) -> None:
        """The last pictures of every seed that has completed."""
        for i, run in enumerate(self.runs):
            state = self.engine.state(i)
            if run.status == "completed":
                run.save_grid(state)

    def _report(self, seconds: float) -> None:
        if self.engine.waited:
            print(f"data: {self.engine.waited:.1f} s of {seconds:.1f} s were spent waiting for images")
        for run in self.runs:
            if run.validation and run.validation.any:
                name = f"seed {run.config.seed}: " if len(self.runs) > 1 else ""
                print(name + run.validation.summary(seconds))
            if run.finished and run.step < self.total:
                best = run.validation.best_step
                print(f"stopped early at step {run.step}: validation was best at step {best}")
