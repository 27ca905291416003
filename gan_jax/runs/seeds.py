"""Runs of several seeds: the workdir of each seed, and the summary of their scores.

If config.num_seeds = n > 1, the workdir contains a folder seed-<s> for s = seed, ..., seed + n - 1. Each folder is the
workdir of an ordinary run of that seed, and every command works on it.
"""

import math
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from gan_jax.runs.best import is_exhausted, scores
from gan_jax.runs.records import read_metrics
from gan_jax.runs.workdir import Workdir
from gan_jax.system import recorded
from gan_jax.system.errors import UserError

_FAILED = ("collapsed", "diverged")


def seeds_of(config: ConfigDict) -> list[int]:
    """The seeds that a config trains; UserError for num_seeds < 1."""
    if config.num_seeds < 1:
        raise UserError(f"num_seeds={config.num_seeds}: must be at least 1")
    return list(range(config.seed, config.seed + config.num_seeds))


def seed_config(config: ConfigDict, seed: int) -> ConfigDict:
    """The config of the run of one seed."""
    one_seed = ConfigDict(config.to_dict()).unlock()
    one_seed.seed, one_seed.num_seeds = seed, 1
    return one_seed.lock()


def seed_workdirs(seeds: Sequence[int], workdir: Workdir) -> list[Workdir]:
    """The workdir of each seed; for a single seed, `workdir` itself."""
    if len(seeds) == 1:
        return [workdir]
    return [Workdir(str(workdir.path / f"seed-{seed}")) for seed in seeds]


def has_ended(workdir: Workdir, config: ConfigDict, total: int) -> bool:
    """Whether a seed has nothing left to train in a run of `total` steps.

    It has made all steps, or its validation scores have ended it, or it has failed under the same guard.
    """
    run = workdir.run()
    if run.get("status") in _FAILED:
        return "guard" not in run or recorded.section("guard", run["guard"]) == config.guard.to_dict()
    if run.get("status") != "completed" or run["step"] >= total:
        return run.get("status") == "completed"
    if run["step"] == run["num_steps"] or not config.eval.every_steps:  # It did not stop early, or would not now.
        return False
    return is_exhausted(scores(read_metrics(workdir.metrics)), config.eval.patience)


def common_step(steps: list[list[int]]) -> int:
    """The newest step at which every seed has a checkpoint; 0 if there is no such step.

    steps: the steps of each seed's checkpoints.
    A kill between the saves of two seeds leaves some seeds one checkpoint ahead; they resume from the previous one.
    """
    return max(set.intersection(*map(set, steps)), default=0)


def summarize(results: list[dict]) -> dict:
    """Mean and standard deviation (n - 1 in the denominator) over seeds of every number in their evaluations.

    Entries that are equal for all seeds (data, split, ...) are kept; `seeds` is the list of all results.
    """
    first, summary = results[0], {"num_seeds": len(results)}
    for name, value in first.items():
        values = [result.get(name) for result in results]
        if isinstance(value, float) and all(isinstance(v, float) and math.isfinite(v) for v in values):
            summary[name] = float(np.mean(values))
            summary[f"{name}_over_seeds"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
        elif all(v == value for v in values):
            summary[name] = value
    return summary | {"seeds": results}
