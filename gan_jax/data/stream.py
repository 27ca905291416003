"""Prefetches the images of a run's steps with Grain, in threads of this process or in worker processes.

The images of a step are a function of (seed, step), as for images in memory. So a stream can start at any step and has
no state to save.
"""

import itertools
import os
import signal
import threading
import time

import numpy as np

from gan_jax.data.batches import BatchOrder
from gan_jax.data.stored import StoredImages
from gan_jax.system.errors import UserError, WorkerLost

_MAX_STEPS = 2**31  # more than any run has


class _Steps:
    """Random access by step: uint8 [d_steps, B / processes, H, W, C], this process's part of the step's batches."""

    def __init__(self, images: StoredImages, order: BatchOrder, share: slice):
        self._images, self._order, self._share = images, order, share

    def __len__(self) -> int:
        return _MAX_STEPS

    def __getitem__(self, step: int) -> np.ndarray:
        rows = self._order(step, 1)[0][:, self._share]
        return self._images.read(rows.ravel()).reshape(*rows.shape, *self._images.shape[1:])


def _start_worker(index: int, count: int) -> None:
    """Runs in each worker: ignores Ctrl-C, which the parent handles, and ends the worker if the parent is gone."""
    import multiprocessing

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def exit_after_parent() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=exit_after_parent, daemon=True).start()


def check(workers: int, batch_size: int, process_count: int) -> None:
    """UserError for settings that do not work with images in files."""
    if workers < 0:
        raise UserError(f"data.stream_workers={workers}: must be at least 0")
    if batch_size % process_count:
        raise UserError(f"batch_size={batch_size} does not divide into {process_count} equal parts, one a process")


class Stream:
    """Batches uint8 [d_steps, B / processes, H, W, C] of any steps; prefetches the steps after the last call.

    ahead: number of steps to prefetch.
    workers: processes that read and decode; 0: threads of this process.
    process_index, process_count: this process reads part number process_index (the slice `share`) of every batch.
    waited: total seconds that calls waited for images.
    Workers are new Python processes that import the main module: your own script needs `if __name__ == "__main__"`.
    """

    def __init__(
        self,
        images: StoredImages,
        order: BatchOrder,
        batch_size: int,
        *,
        ahead: int,
        workers: int = 0,
        process_index: int = 0,
        process_count: int = 1,
    ):
        check(workers, batch_size, process_count)
        part = batch_size // process_count
        self.share = slice(process_index * part, (process_index + 1) * part)
        self._steps = _Steps(images, order, self.share)
        self._ahead, self._workers = max(ahead, 1), workers
        self._iterator, self._next = None, None
        self.waited = 0.0

    def __call__(self, first_step: int, num_steps: int) -> list[np.ndarray]:
        """One array for each of `num_steps` steps, starting at `first_step`."""
        began = time.monotonic()
        if first_step != self._next:
            self.close()
            self._iterator = self._start(first_step)
        try:
            batches = list(itertools.islice(self._iterator, num_steps))
        except UserError:
            self.close()
            raise
        except RuntimeError as error:
            self.close()
            raise WorkerLost(
                f"reading images ended: {str(error).partition('.')[0]}. It was killed, or memory is out; the same "
                "command with this run's --workdir continues from the last checkpoint"
            ) from error
        self._next = first_step + num_steps
        self.waited += time.monotonic() - began
        return batches

    def _start(self, first_step: int):
        import grain
        from absl import flags

        # Grain's worker processes need parsed absl flags; this project does not use absl flags.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        source = grain.MapDataset.source(self._steps)[first_step:]
        if not self._workers:
            threads = min(os.cpu_count() or 1, self._ahead)
            read_options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=self._ahead)
            return iter(source.to_iter_dataset(read_options))
        # A worker reads one step after the other in one thread, and sends the batches in another thread.
        read_options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
        per_worker = -(-self._ahead // self._workers)
        options = grain.MultiprocessingOptions(num_workers=self._workers, per_worker_buffer_size=per_worker)
        return iter(source.to_iter_dataset(read_options).mp_prefetch(options, worker_init_fn=_start_worker))

    def close(self) -> None:
        """Ends the threads or processes; a later call starts new ones."""
        if self._iterator is not None:
            self._iterator.close()
        self._iterator = self._next = None
