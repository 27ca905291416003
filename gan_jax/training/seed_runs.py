"""The state of all unfinished seeds between two calls of the compiled program.

Every process has the status of each seed. Only process 0 has recorders. On the other processes the list of recorders is
empty, so that the same code runs on every process.
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
from gan_jax.runs.init_from import stored_state
from gan_jax.runs.workdir import Workdir
from gan_jax.system.interrupts import Interrupts
from gan_jax.system.progress import Progress
from gan_jax.system.randomness import seed_of
from gan_jax.training.calls import Call
from gan_jax.training.programs import Program
from gan_jax.training.recorder import Recorder
from gan_jax.training.status import SeedStatus


def _is_computed(metrics: Any) -> bool:
    """Whether all arrays of a call are computed."""
    return all(leaf.is_ready() for leaf in jax.tree.leaves(metrics) if isinstance(leaf, jax.Array))


class SeedRuns:
    """The status and the recorder of each seed of a run, by position.

    recorders: one for each seed; [] on processes other than 0.
    workdirs: of all seeds of the run, also of seeds that had ended before; [] on processes other than 0.
    stopped_by: name of the signal that ended training; None without a signal.
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
        """Positions of the seeds that are still training."""
        return [i for i, status in enumerate(self.statuses) if status.live]

    @property
    def seconds(self) -> float:
        """Seconds since the workdirs were opened."""
        return time.monotonic() - self._began

    def restore_or_init(self, data: Sequence[Batch]) -> tuple[int, list[GanState]]:
        """(step, state of each seed) of the newest checkpoint that all seeds have, or (0, untrained states)."""
        # Process 0 reads the checkpoints; the other processes pass zeros of the shapes that they will receive.
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
        """The state of seed number i at the checkpoint of `step`; at step 0 the state that it starts from."""
        if step:
            return initial_state.restore(self.recorders[i].checkpoints, self._like, step)[1]
        if stored := stored_state(self.recorders[i].workdir, self._like):
            return stored
        seed = seed_of("init", self.statuses[i].seed, self._config.fixed_randomness)
        examples = initial_state.init_examples(data, seed, self._config.init_batch_size)
        return initial_state.init_state(self._gan, seed, examples)

    def agree_to_stop(self) -> bool:
        """Whether training ends here: after a signal, or if no seed is live. All processes get the same answer."""
        received = self._interrupts.received
        number = signal.Signals[received].value if received else 0
        flags = np.array([(status.failed, status.stopped_early) for status in self.statuses], bool)
        number, flags = hosts.agree(number, flags.ravel())
        for status, (failed, stopped_early) in zip(self.statuses, flags.reshape(-1, 2), strict=True):
            status.failed, status.stopped_early = bool(failed), bool(stopped_early)
        self.stopped_by = signal.Signals(number).name if number else None
        return bool(number) or not self.live

    def remember(self, call: Call, metrics: Any) -> None:
        """Stores a call of the live seeds that was dispatched and may not be computed yet."""
        self._unwritten.append((call, metrics))
        for i in self.live:
            self.statuses[i].step = call.end

    def write_previous_rows(self, program: Program) -> None:
        """Writes the rows of all calls except the last one, which is still being computed."""
        self._write_rows(program, len(self._unwritten) - 1)

    def _write_rows(self, program: Program, count: int) -> None:
        """Writes the rows of the first `count` unwritten calls."""
        for call, metrics in self._unwritten[:count]:
            values_of_seeds = program.read(metrics)
            # A CPU may have computed the calls after it, too, before it returns its values.
            self._progress.update(max(c.end for c, arrays in self._unwritten if c is call or _is_computed(arrays)))
            for i, values in values_of_seeds.items():
                for recorder in self.recorders[i : i + 1]:
                    recorder.record(call, values, self._progress.rate)
        del self._unwritten[:count]

    def is_due(self, call: Call) -> bool:
        """Whether a score, a grid or a checkpoint is due after a call."""
        config = self._config
        every = (config.sample_every_steps, config.checkpoint_every_steps, config.eval.every_steps)
        return call.end == self.total or any(map(call.is_due, every))

    def score_and_save(self, call: Call, program: Program) -> None:
        """Writes scores, grids and checkpoints of the seeds that were trained in a call."""
        trained = [i for i, status in enumerate(self.statuses) if status.step == call.end]
        self._write_all_rows(program)
        for recorder, state in self._states(program, trained):
            recorder.after(call, state, self.seconds)

    def _write_all_rows(self, program: Program) -> None:
        """Waits for the last call and writes its rows; process 0 then broadcasts which seeds its guard has ended."""
        self._write_rows(program, len(self._unwritten))
        self.agree_to_stop()

    def _states(self, program: Program, positions: Sequence[int]) -> Iterator[tuple[Recorder, GanState]]:
        """(recorder, state) of each seed in `positions` that has not failed; nothing on processes other than 0."""
        for i in positions:
            if not self.statuses[i].failed:
                state = program.state(i)  # A collective operation: every process must call it.
                for recorder in self.recorders[i : i + 1]:
                    yield recorder, state

    def finish(self, program: Program) -> None:
        """Writes the rows of the last call, checkpoints of interrupted seeds, and sample grids of finished seeds."""
        self._write_all_rows(program)
        self._progress.close()
        for recorder, state in self._states(program, self.live):
            recorder.save(state, self.seconds)
        finished = [i for i, status in enumerate(self.statuses) if status.finished]
        for recorder, state in self._states(program, finished):
            recorder.save_grid(state)
