"""Computes the numbers of the report from the times of a work."""

import numpy as np

from experiments.benchmarks.forms import OURS, SINGLE_PASS_OF
from experiments.benchmarks.quartiles import quartiles


def summarize(
    times: dict[str, list[list[float]]], batch_size: int, step_gflop: float, peak_gflops: float
) -> dict[str, dict]:
    """By contender: quartiles of ms per step, images per second, share of the matmul peak, and the ratio to gan_jax.

    times: contender -> process -> ms per step of each round. A process counts by the median of its rounds, so the
    quartiles are over processes. The ratio is taken within each round, because a virtual machine's speed changes from
    minute to minute. A single process counts by its rounds.
    """
    rows = {}
    for label, values in times.items():
        ms = quartiles(_by_process(values))
        seconds = ms["median"] / 1e3
        rows[label] = {
            "ms": ms,
            "images_per_second": round(batch_size / seconds, 1),
            "peak_fraction": round(step_gflop / seconds / peak_gflops, 4),
        }
        if OURS in times and label != OURS:
            ratios = [np.divide(theirs, ours) for theirs, ours in zip(values, times[OURS], strict=True)]
            rows[label]["ratio"] = quartiles(_by_process(ratios))
    return rows


def _by_process(values: list) -> list[float]:
    return list(values[0]) if len(values) == 1 else [float(np.median(rounds)) for rounds in values]


def best_rival(rows: dict[str, dict]) -> str | None:
    """PyTorch's contender with the lowest time beside gan_jax's in the same rounds; None if all of them failed.

    By milliseconds if gan_jax failed, so that there are no ratios.
    """
    rivals = [label for label in rows if not label.startswith(OURS) and "ms" in rows[label]]
    measure = "ratio" if all("ratio" in rows[label] for label in rivals) else "ms"
    return min(rivals, key=lambda label: rows[label][measure]["median"], default=None)


def share_of_single_pass(rows: dict[str, dict]) -> dict[str, tuple[float, float]]:
    """form -> (PyTorch's time over gan_jax's, the same with one forward pass of D) for forms that have both."""
    measured = {label: row["ratio"]["median"] for label, row in rows.items() if "ratio" in row}
    return {
        form: (measured[form], measured[single])
        for form, single in SINGLE_PASS_OF.items()
        if form in measured and single in measured
    }
