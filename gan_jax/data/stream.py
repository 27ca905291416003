"""The images of a run's steps, read ahead of them by Grain: threads of this process, or processes that decode.

What a step reads is a function of (seed, step), as it is for images in memory. So a stream has no state to save: it
starts at any step, and its position is the step.
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

_FOREVER = 2**31  # steps; no run has as many


class _Steps:
    """Random access by step: uint8 [d_steps, B / hosts, H, W, C], this host's share of the step's batches."""

    def __init__(self, images: StoredImages, order: BatchOrder, share: slice):
        self._images, self._order, self._share = images, order, share

    def __len__(self) -> int:
        return _FOREVER

    def __getitem__(self, step: int) -> np.ndarray:
        rows = self._order(step, 1)[0][:, self._share]
        return self._images.read(rows.ravel()).reshape(*rows.shape, *self._images.shape[1:])


def _start_worker(index: int, count: int) -> None:
    """In a worker: Ctrl-C is the parent's to answer, and a worker whose parent is gone ends too."""
    import multiprocessing

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def check(workers: int, batch_size: int, process_count: int) -> None:
    """UserError for what no stream can do."""
    if workers < 0:
        raise UserError(f"data.stream_workers={workers}: must be at least 0")
    if batch_size % process_count:
        raise UserError(f"batch_size={batch_size} does not divide into {process_count} equal parts, one a process")


class Stream:
    """uint8 [d_steps, B / hosts, H, W, C] of any steps, in order; those that follow the last ones are read ahead.

    ahead: steps that are read ahead. workers: processes that read and decode; 0: threads of this one.
    process_index, process_count: this host reads the process_index-th part, `share`, of every batch. waited: seconds
    that calls have waited for images. Workers are started afresh and import the main module: a script of your own needs
    its `if __name__ == "__main__"`.
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
        """The steps from `first_step` on, an array each."""
        began = time.monotonic()
        if first_step != self._next:
            self.close()
            self._iterator = self._start(first_step)
        try:
            found = list(itertools.islice(self._iterator, num_steps))
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
        return found

    def _start(self, first_step: int):
        import grain
        from absl import flags

        # Grain's processes ask for flags of the command line, which this project does not have.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        source = grain.MapDataset.source(self._steps)[first_step:]
        if not self._workers:
            threads = min(os.cpu_count() or 1, self._ahead)
            read = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=self._ahead)
            return iter(source.to_iter_dataset(read))
        # A worker reads whole steps, one after the other, in a thread beside the one that hands them over.
        read = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
        each = -(-self._ahead // self._workers)
        options = grain.MultiprocessingOptions(num_workers=self._workers, per_worker_buffer_size=each)
        return iter(source.to_iter_dataset(read).mp_prefetch(options, worker_init_fn=_start_worker))

    def close(self) -> None:
        """Ends the threads or processes; a later call starts them anew."""
        if self._iterator is not None:
            self._iterator.close()
        self._iterator = self._next = None
