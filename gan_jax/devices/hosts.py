"""Several processes that train one run together, usually one on each host.

Process 0 leads. It alone has the workdir: it reads the checkpoint that a run goes on from, writes everything, scores,
and decides when a run ends; the others take their share of every step, and hear from it. So the workdir need not lie on
a disk that all of them see, and what is written is written once. Where there is one process, it leads.
"""

import ctypes
import hashlib
import os
import re
import signal
import sys
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from gan_jax.system.errors import DataUnavailable, HostLost, UserError
from gan_jax.system.files import abandon

# A process that has been silent for so long is taken for dead.
_HEARTBEAT_SECONDS = 30
_LOST = "another process of this run has ended; the same commands continue from the last checkpoint"
# What the libraries beneath say when the other end of a connection is gone.
_CONNECTION = re.compile(r"gloo|nccl|coordination service|heartbeat|connection (reset|closed)|unavailable", re.I)


@ctypes.CFUNCTYPE(None, ctypes.c_int)
def _answer_abort(number: int) -> None:
    abandon()
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


def from_all(row: np.ndarray) -> np.ndarray:
    """What each process gives, [processes, ...], in every process."""
    return multihost_utils.process_allgather(row) if many() else row[None]


def check_same(text: str) -> None:
    """DataUnavailable where the processes were given different data or configs, which `text` describes."""
    digests = from_all(np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8))
    for index, digest in enumerate(digests):
        if not np.array_equal(digest, digests[0]):
            raise DataUnavailable(f"process {index} was given other data or another config than process 0")


def lost(error: Exception) -> HostLost | None:
    """What to raise in the place of an error that says that another process is gone; None where it says nothing so."""
    return HostLost(_LOST) if many() and _CONNECTION.search(str(error)) else None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
