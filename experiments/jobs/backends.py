"""Which backend a command over the pool takes: its arguments, and the choice."""

import argparse
import contextlib
import os
import pathlib
from collections.abc import Iterator

from experiments.jobs.arguments import check_at_least
from experiments.jobs.pool import Backend, Processes
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--jobs, --backend and --address."""
    parser.add_argument(
        "--jobs", type=int, help="runs at a time, each on its share of the cores (default 1; with ray one a node)"
    )
    parser.add_argument("--backend", default="local", help="local, or ray: the nodes of a Ray cluster (default local)")
    parser.add_argument(
        "--address", help="of the cluster: auto, host:port, ray://host:port, or local to start one here (default auto)"
    )


def check(arguments: argparse.Namespace) -> None:
    """UserError for what no backend can do. Nodes share the workdir: without --data_dir the data lies there."""
    choose(["local", "ray"], arguments.backend, "--backend")
    if arguments.jobs is not None:
        check_at_least(1, jobs=arguments.jobs)
    if arguments.address is not None and arguments.backend != "ray":
        raise UserError(f"--address={arguments.address} is for --backend=ray; add that, or leave it out")
    if arguments.backend == "ray" and not arguments.data_dir:
        # Scores are comparable where every node has the same classifier; in a cache of its own each would train one.
        arguments.data_dir = str(pathlib.Path(arguments.workdir) / "data")


@contextlib.contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[Backend]:
    """The backend that the arguments name; UserError where it cannot be had."""
    if arguments.backend == "local":
        yield Processes(arguments.jobs or 1)
        return
    # Nobody is told of it; what one process starts listens on 127.0.0.1 alone, and runs at that process's own priority.
    alone = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"} | (alone if arguments.address == "local" else {})
    try:
        from experiments.jobs.ray_backend import connected  # Ray reads these where it is imported.
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise UserError("--backend=ray needs Ray: pip install -r requirements-ray.txt") from None
    with connected(arguments.address or "auto", arguments.jobs, pathlib.Path(arguments.workdir)) as cluster:
        yield cluster
