"""Several seeds of one config: where each of them lies, and what their scores say together.

With config.num_seeds = n > 1 a workdir holds seed-<s>/ for s = seed, ..., seed + n - 1. Each is the workdir of an
ordinary run of that seed, and every command works on it.
"""

import json
import math
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from gan_jax.runs.workdir import Workdir
from gan_jax.system.errors import UserError
from gan_jax.system.files import write_text

_ENDED = ("completed", "collapsed", "diverged")


def seeds_of(config: ConfigDict) -> list[int]:
    """The seeds that a config trains."""
    if config.num_seeds < 1:
        raise UserError(f"num_seeds={config.num_seeds}: must be at least 1")
    return list(range(config.seed, config.seed + config.num_seeds))


def seed_config(config: ConfigDict, seed: int) -> ConfigDict:
    """The config of the run of one of the seeds."""
    single = ConfigDict(config.to_dict()).unlock()
    single.seed, single.num_seeds = seed, 1
    return single.lock()


def seed_workdirs(seeds: Sequence[int], workdir: Workdir) -> list[Workdir]:
    """The workdir of each seed; of a single one, `workdir` itself."""
    if len(seeds) == 1:
        return [workdir]
    return [Workdir(str(workdir.path / f"seed-{seed}")) for seed in seeds]


def has_ended(workdir: Workdir) -> bool:
    """Whether a seed is done: it has completed, stopped early or failed."""
    return workdir.run().get("status") in _ENDED


def common_step(steps: list[list[int]]) -> int:
    """The newest step of which every seed has a checkpoint, from the steps that each has; 0 without one.

    A kill between two seeds' saves leaves some of them one checkpoint ahead; they go back to the one before.
    """
    return max(set.intersection(*map(set, steps)), default=0)


def together(results: list[dict]) -> dict:
    """Mean and standard deviation (n - 1 in the denominator) over seeds of every number in their evaluations.

    Entries that are equal in all (data, split, ...) stay; `seeds` lists each seed's own scores.
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


def write_summary(folder: Workdir, file_name: str, results: list[dict]) -> dict:
    """Writes what the seeds' evaluations say together, and returns it."""
    summary = together(results)
    write_text(folder.path / file_name, json.dumps(summary, indent=2, sort_keys=True) + "\n")
    return summary
