"""Computes the numbers of the report from the times of a work."""

import numpy as np

from experiments.benchmarks.contenders import OURS
from experiments.benchmarks.quartiles import quartiles


def summarize(times: dict[str, list[float]], batch_size: int, step_gflop: float, peak_gflops: float) -> dict[str, dict]:
    """By contender: quartiles of ms per step, images per second, share of the matmul peak, and the ratio to gan_jax.

    The ratio is taken within each round, because a virtual machine's speed changes from minute to minute.
    """
    rows = {}
    for label, values in times.items():
        seconds = np.median(values) / 1e3
        rows[label] = {
            "ms": quartiles(values),
            "images_per_second": round(batch_size / seconds, 1),
            "peak_fraction": round(step_gflop / seconds / peak_gflops, 4),
        }
        if OURS in times and label != OURS:
            rows[label]["ratio"] = quartiles(np.divide(values, times[OURS]))
    return rows


def best_rival(rows: dict[str, dict]) -> str | None:
    """PyTorch's fastest contender by its median; None if all of them failed."""
    rivals = [label for label in rows if label != OURS and "ms" in rows[label]]
    return min(rivals, key=lambda label: rows[label]["ms"]["median"], default=None)
