"""Several processes that train one run together, usually one on each host.

Process 0 leads. It alone has the workdir: it reads the checkpoint that a run goes on from, writes everything, scores,
and decides when a run ends; the others take their share of every step, and hear from it. So the workdir need not lie on
a disk that all of them see, and what is written is written once. Where there is one process, it leads.
"""

import contextlib
import ctypes
import hashlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from gan_jax.system.errors import DataUnavailable, HostLost, UserError
from gan_jax.system.files import remove_unfinished

# A process that has been silent for so long is taken for dead.
_HEARTBEAT_SECONDS = 30
_LOST = "another process of this run has ended; the same commands continue from the last checkpoint"
# What the libraries beneath say when the other end of a connection is gone.
_CONNECTION = re.compile(r"gloo|nccl|coordination service|heartbeat|connection (reset|closed)|unavailable", re.I)


@ctypes.CFUNCTYPE(None, ctypes.c_int)
def _answer_abort(number: int) -> None:
    remove_unfinished()
    print(f"error: {_LOST}", file=sys.stderr, flush=True)
    os._exit(HostLost.exit_code)


def join(**addresses: Any) -> None:
    """Waits for the other processes. To be called before anything that asks for a device.

    addresses: coordinator_address ("host:port" of process 0), num_processes, process_id; without them SLURM,
    Kubernetes, MPI or a TPU pod are asked.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # interrupts.py answers SIGTERM.
    try:
        jax.distributed.initialize(**addresses, heartbeat_timeout_seconds=_HEARTBEAT_SECONDS)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"the processes of this run did not find each other: {_one_line(error)}") from error
    # JAX ends a process by abort() where process 0, or its sign of life, is gone. Python's own handlers come too late.
    ctypes.CDLL(None).signal(int(signal.SIGABRT), _answer_abort)


def leave() -> None:
    """Waits until all processes are done with what they do together. Each may then end when it likes."""
    if jax.distributed.is_initialized():
        jax.distributed.shutdown()


def many() -> bool:
    return jax.process_count() > 1


def leads() -> bool:
    """Whether this process is the one that reads, writes and decides."""
    return jax.process_index() == 0


def from_leader(tree: Any) -> Any:
    """What process 0 gives, in every process: arrays, of the same shapes in all of them."""
    return multihost_utils.broadcast_one_to_all(tree) if many() else tree


def agree(signal_number: int, flags: np.ndarray) -> tuple[int, np.ndarray]:
    """(the largest signal number of all processes, process 0's flags), the same in every process.

    What all of them do next depends on nothing else. Of one process: what it was given.
    """
    if not many():
        return signal_number, flags
    rows = multihost_utils.process_allgather(np.array([signal_number, *flags], np.int32))
    return int(rows[:, 0].max()), rows[0, 1:] > 0


def check_same(text: str) -> None:
    """DataUnavailable if the processes were given different data or configs, which `text` describes."""
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
    digests = multihost_utils.process_allgather(digest) if many() else digest[None]
    for index, other in enumerate(digests):
        if not np.array_equal(other, digests[0]):
            raise DataUnavailable(f"process {index} was given other data or another config than process 0")


@contextlib.contextmanager
def lost_processes_named() -> Iterator[None]:
    """HostLost instead of an error of the libraries beneath that says that another process is gone."""
    try:
        yield
    except Exception as error:
        if many() and _CONNECTION.search(str(error)):
            raise HostLost(_LOST) from error
        raise


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
