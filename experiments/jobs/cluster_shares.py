"""The cores and GPUs of a cluster's nodes that one run gets."""

from collections.abc import Sequence
from typing import NamedTuple

from gan_jax.system.errors import UserError


class Share(NamedTuple):
    """cores: at least 1; gpus: 1, a fraction of 1, or 0."""

    cores: int
    gpus: float


def _useful(nodes: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """(cores, GPUs) of the nodes that can run something, in whole numbers; only nodes with GPUs if there are any."""
    usable = [(int(cores), int(gpus)) for cores, gpus in nodes if cores >= 1]
    return [node for node in usable if node[1]] or usable


def usual_jobs(nodes: Sequence[tuple[float, float]]) -> int:
    """One run per node, or one per GPU."""
    return sum(max(gpus, 1) for _, gpus in _useful(nodes)) or 1


def share(nodes: Sequence[tuple[float, float]], jobs: int) -> Share:
    """The largest share that each of `jobs` runs can have if all of them run at the same time.

    nodes: (cores, GPUs) of each. If there are more runs than cores, some runs wait.
    """
    if not (usable := _useful(nodes)):
        raise UserError("the cluster has no cores to offer; start its nodes with some: ray start --num-cpus=...")
    gpus = sum(gpus for _, gpus in usable)
    runs_per_gpu = -(-jobs // gpus) if gpus else jobs

    def runs_that_fit(cores_per_run: int) -> int:
        return sum(min(cores // cores_per_run, gpus * runs_per_gpu if gpus else jobs) for cores, gpus in usable)

    most = max(cores for cores, _ in usable)
    cores = max((number for number in range(1, most + 1) if runs_that_fit(number) >= jobs), default=1)
    return Share(cores, 1 / runs_per_gpu if gpus else 0)
