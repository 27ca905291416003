"""The backend that runs a command's jobs: its arguments, and the choice."""

import argparse
import contextlib
import os
import pathlib
from collections.abc import Iterator

from experiments.jobs.arguments import check_at_least
from experiments.jobs.pool import Backend, Processes
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError
from gan_jax.system.extras import install


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--jobs, --backend and --address."""
    parser.add_argument(
        "--jobs", type=int, help="runs at a time, each on its share of the cores (default 1; with ray one per node)"
    )
    parser.add_argument("--backend", default="local", help="local, or ray: the nodes of a Ray cluster (default local)")
    parser.add_argument(
        "--address", help="of the cluster: auto, host:port, ray://host:port, or local to start one here (default auto)"
    )


def check(arguments: argparse.Namespace) -> None:
    """UserError for arguments that do not fit together. With ray, --data_dir becomes a folder of the shared workdir."""
    choose(["local", "ray"], arguments.backend, "--backend")
    if arguments.jobs is not None:
        check_at_least(1, jobs=arguments.jobs)
    if arguments.address is not None and arguments.backend != "ray":
        raise UserError(f"--address={arguments.address} is for --backend=ray; add that, or leave it out")
    if arguments.backend == "ray" and not arguments.data_dir:
        # With a cache of its own, each node would train its own scoring classifier, and scores could not be compared.
        arguments.data_dir = str(pathlib.Path(arguments.workdir) / "data")


@contextlib.contextmanager
def open_backend(arguments: argparse.Namespace) -> Iterator[Backend]:
    """The backend that the arguments name; UserError if it is not available."""
    if arguments.backend == "local":
        yield Processes(arguments.jobs or 1)
        return
    # No usage statistics. A cluster that this process starts listens on 127.0.0.1 only and has this process's priority.
    local_cluster = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"} | (local_cluster if arguments.address == "local" else {})
    try:
        from experiments.jobs.ray_backend import connected  # Ray reads these variables when it is imported.
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise UserError(f"--backend=ray needs Ray: {install('ray')}") from None
    with connected(arguments.address or "auto", arguments.jobs, pathlib.Path(arguments.workdir)) as cluster:
        yield cluster
