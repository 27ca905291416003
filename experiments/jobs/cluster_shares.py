"""What a run may take of the nodes of a cluster."""

from collections.abc import Sequence
from typing import NamedTuple

from gan_jax.system.errors import UserError


class Share(NamedTuple):
    """cores: at least 1; gpus: 1, a fraction of one, or 0."""

    cores: int
    gpus: float


def _useful(nodes: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """Whole (cores, GPUs) of the nodes that can take a run: where there are GPUs, those that have one."""
    able = [(int(cores), int(gpus)) for cores, gpus in nodes if cores >= 1]
    return [node for node in able if node[1]] or able


def usual_jobs(nodes: Sequence[tuple[float, float]]) -> int:
    """One run a node, or one a GPU."""
    return sum(max(gpus, 1) for _, gpus in _useful(nodes)) or 1


def share(nodes: Sequence[tuple[float, float]], jobs: int) -> Share:
    """The most that each of `jobs` runs can have with all of them at work; nodes: (cores, GPUs) of each.

    Runs beyond the cores wait for their turn.
    """
    if not (able := _useful(nodes)):
        raise UserError("the cluster has no cores to offer; start its nodes with some: ray start --num-cpus=...")
    gpus = sum(gpus for _, gpus in able)
    on_one = -(-jobs // gpus) if gpus else jobs

    def fitting(each: int) -> int:
        return sum(min(cores // each, gpus * on_one if gpus else jobs) for cores, gpus in able)

    most = max(cores for cores, _ in able)
    cores = max((each for each in range(1, most + 1) if fitting(each) >= jobs), default=1)
    return Share(cores, 1 / on_one if gpus else 0)
