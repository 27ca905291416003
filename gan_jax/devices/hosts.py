"""Several processes that train one run together, usually one on each host.

Process 0 is the leader. Only the leader uses the workdir: it reads the checkpoint from which a run continues, writes
all files, computes scores and decides when a run ends. The other processes compute their part of every step and receive
the leader's decisions. So the workdir does not have to be on a shared disk, and every file is written once. A single
process is the leader.
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

# A process that sends no heartbeat for this time counts as dead.
_HEARTBEAT_SECONDS = 30
_LOST = "another process of this run has ended; the same commands continue from the last checkpoint"
# Matches the error messages of JAX's communication libraries if another process is gone.
_CONNECTION_ERROR = re.compile(r"gloo|nccl|coordination service|heartbeat|connection (reset|closed)|unavailable", re.I)


@ctypes.CFUNCTYPE(None, ctypes.c_int)
def _handle_abort(number: int) -> None:
    remove_unfinished()
    print(f"error: {_LOST}", file=sys.stderr, flush=True)
    os._exit(HostLost.exit_code)


def join(**addresses: Any) -> None:
    """Connects to the other processes and waits for them. Call it before any code that uses a device.

    addresses: coordinator_address ("host:port" of process 0), num_processes and process_id. Without them, JAX gets
        these values from SLURM, Kubernetes, MPI or the TPU pod.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # system/interrupts.py handles SIGTERM.
    try:
        jax.distributed.initialize(**addresses, heartbeat_timeout_seconds=_HEARTBEAT_SECONDS)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"the processes of this run did not find each other: {_one_line(error)}") from error
    # If process 0 is gone or sends no heartbeat, JAX calls abort(). Python's own signal handlers would run too late.
    ctypes.CDLL(None).signal(int(signal.SIGABRT), _handle_abort)


def leave() -> None:
    """Waits until all processes have finished their common work. After that, each can end at any time."""
    if jax.distributed.is_initialized():
        jax.distributed.shutdown()


def has_other_processes() -> bool:
    return jax.process_count() > 1


def leads() -> bool:
    """Whether this process is the leader, which reads, writes and decides."""
    return jax.process_index() == 0


def from_leader(tree: Any) -> Any:
    """The leader's `tree`, in every process. All processes must pass arrays of the same shapes."""
    return multihost_utils.broadcast_one_to_all(tree) if has_other_processes() else tree


def text_from_leader(text: str) -> str:
    """The leader's `text`, in every process."""
    data = np.frombuffer(text.encode(), np.uint8)
    with lost_processes_named():
        size = int(from_leader(np.array(len(data), np.int32)))
        data = from_leader(data if leads() else np.zeros(size, np.uint8))
    return np.asarray(data).tobytes().decode()


def agree(signal_number: int, flags: np.ndarray) -> tuple[int, np.ndarray]:
    """(the largest signal number of all processes, the leader's flags), the same in every process.

    All processes take the same branch if the branch depends only on this result. A single process gets its own
    arguments back.
    """
    if not has_other_processes():
        return signal_number, flags
    rows = multihost_utils.process_allgather(np.array([signal_number, *flags], np.int32))
    return int(rows[:, 0].max()), rows[0, 1:] > 0


def check_same(text: str) -> None:
    """DataUnavailable if the processes have different data or configs. text: describes those of this process."""
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
    digests = multihost_utils.process_allgather(digest) if has_other_processes() else digest[None]
    for index, digest in enumerate(digests):
        if not np.array_equal(digest, digests[0]):
            raise DataUnavailable(f"process {index} was given other data or another config than process 0")


@contextlib.contextmanager
def lost_processes_named() -> Iterator[None]:
    """Inside `with`, an error that another process has caused by ending becomes a HostLost."""
    try:
        yield
    except Exception as error:
        if has_other_processes() and _CONNECTION_ERROR.search(str(error)):
            raise HostLost(_LOST) from error
        raise


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
