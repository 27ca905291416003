"""The runs of all seeds that are left to train, between two calls of the compiled program.

Every process knows how each seed stands. Only process 0 has recorders: on the others the list is empty, so that the
same code runs everywhere.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from gan_jax.devices import hosts
from gan_jax.gan.step import Gan
from gan_jax.gan.types import Batch, GanState
from gan_jax.runs import initial_state, seeds
from gan_jax.runs.workdir import Workdir
from gan_jax.system.interrupts import Interrupts
from gan_jax.system.progress import Progress
from gan_jax.training.calls import Call
from gan_jax.training.programs import Program
from gan_jax.training.recorder import Recorder
from gan_jax.training.status import SeedStatus


class SeedRuns:
    """How the seeds of a run stand, by position, and what is written of them.

    recorders: one a seed; [] on processes other than 0.
    workdirs: of all seeds of the run, those included that had ended before; [] on processes other than 0.
    stopped_by: the name of the signal that ended training, None without one.
    """

    def __init__(
        self,
        config: ConfigDict,
        path: str,
        total: int,
        gan: Gan,
        image_shape: tuple[int, ...],
        interrupts: Interrupts,
        statuses: list[SeedStatus],
        recorders: list[Recorder],
        workdirs: list[Workdir],
    ):
        self.statuses, self.recorders, self.workdirs, self.total = statuses, recorders, workdirs, total
        self.path, self.num_seeds, self.stopped_by = path, config.num_seeds, None
        self._config, self._gan, self._interrupts = config, gan, interrupts
        self._like = initial_state.abstract_state(gan, config.init_batch_size, image_shape)
        self._unwritten: list[tuple[Call, Any]] = []
        self._progress, self._began = None, time.monotonic()

    @property
    def seeds(self) -> list[int]:
        return [status.seed for status in self.statuses]

    @property
    def live(self) -> list[int]:
        """Positions of the seeds that have more steps to take."""
        return [i for i, status in enumerate(self.statuses) if status.live]

    @property
    def seconds(self) -> float:
        """Since the workdirs were opened."""
        return time.monotonic() - self._began

    def restore_or_init(self, data: Sequence[Batch]) -> tuple[int, list[GanState]]:
        """(step, state of each seed) of the newest checkpoint that all of them have, or (0, untrained states)."""
        # Process 0 reads; the others give the shapes of what it will send.
        step, states = self.total, [jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), self._like)] * len(data)
        if self.recorders:
            for recorder in self.recorders:
                recorder.checkpoints.remove_leftovers()
            step = seeds.common_step([recorder.checkpoints.steps() for recorder in self.recorders])
            states = [self.state_at(step, i, data[i]) for i in range(len(data))]
        step, states = hosts.from_leader((step, states))
        for status in self.statuses:
            status.step = int(step)
        for recorder in self.recorders:
            recorder.open()
        self._progress = Progress(self.total, int(step), show=bool(self.recorders))
        return int(step), states

    def state_at(self, step: int, i: int, data: Batch) -> GanState:
        """The state of a seed at one of its checkpoints; at step 0 the untrained one."""
        if step:
            return initial_state.restore(self.recorders[i].checkpoints, self._like, step)[1]
        seed = self.statuses[i].seed
        examples = initial_state.init_examples(data, seed, self._config.init_batch_size)
        return initial_state.init_state(self._gan, seed, examples)

    def agree_to_stop(self) -> bool:
        """Whether training ends here, by a signal or because no seed is live: the same on every process."""
        received = self._interrupts.received
        number = signal.Signals[received].value if received else 0
        flags = np.array([(status.failed, status.stopped_early) for status in self.statuses], bool)
        number, flags = hosts.agree(number, flags.ravel())
        for status, (failed, stopped_early) in zip(self.statuses, flags.reshape(-1, 2), strict=True):
            status.failed, status.stopped_early = bool(failed), bool(stopped_early)
        self.stopped_by = signal.Signals(number).name if number else None
        return bool(number) or not self.live

    def remember(self, call: Call, metrics: Any) -> None:
        """Notes a call of the live seeds that was just dispatched, and may not be computed yet."""
        self._unwritten.append((call, metrics))
        for i in self.live:
            self.statuses[i].step = call.end

    def write_previous_rows(self, program: Program) -> None:
        """Writes the rows of all calls but the last one, which is still being computed."""
        self._write_rows(program, self._unwritten[:-1])
        del self._unwritten[:-1]

    def _write_rows(self, program: Program, unwritten: list[tuple[Call, Any]]) -> None:
        for call, metrics in unwritten:
            for i, values in program.read(metrics).items():
                for recorder in self.recorders[i : i + 1]:
                    recorder.record(call, values, self._progress.rate)
            self._progress.update(call.end)

    def is_due(self, call: Call) -> bool:
        """Whether a score, a grid or a checkpoint is due after a call."""
        config = self._config
        every = (config.sample_every_steps, config.checkpoint_every_steps, config.eval.every_steps)
        return call.end == self.total or any(map(call.is_due, every))

    def score_and_save(self, call: Call, program: Program) -> None:
        """Scores, grids and checkpoints of the seeds that took part in a call."""
        trained = [i for i, status in enumerate(self.statuses) if status.step == call.end]
        self._write_all_rows(program)
        for recorder, state in self._states(program, trained):
            recorder.after(call, state)

    def _write_all_rows(self, program: Program) -> None:
        """Waits for the last call; process 0 then tells the others which seeds its guard has ended."""
        self._write_rows(program, self._unwritten)
        self._unwritten = []
        self.agree_to_stop()

    def _states(self, program: Program, positions: Sequence[int]) -> Iterator[tuple[Recorder, GanState]]:
        """(recorder, state) of those of these seeds that have not failed; nothing on processes without recorders."""
        for i in positions:
            if not self.statuses[i].failed:
                state = program.state(i)  # Every process takes part in gathering it.
                for recorder in self.recorders[i : i + 1]:
                    yield recorder, state

    def finish(self, program: Program) -> None:
        """After the last call: its rows, a checkpoint of each seed that was interrupted, grids of the finished ones."""
        self._write_all_rows(program)
        self._progress.close()
        for recorder, state in self._states(program, self.live):
            recorder.save(state)
        finished = [i for i, status in enumerate(self.statuses) if status.finished]
        for recorder, state in self._states(program, finished):
            recorder.save_grid(state)
