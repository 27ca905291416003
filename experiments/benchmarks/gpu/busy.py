"""The share of time in which a GPU computed, from a profile of JAX."""

import pathlib
from collections.abc import Iterable

import jax


def covered(intervals: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """(length of the union of intervals (start, end), length from the first start to the last end)."""
    ordered = sorted(intervals)
    union, end = 0.0, ordered[0][0]
    for start, stop in ordered:
        union += max(stop - max(start, end), 0.0)
        end = max(end, stop)
    return union, end - ordered[0][0]


def busy_share(folder: pathlib.Path) -> float | None:
    """The share of the time from the first kernel to the last one in which some kernel ran; None without a GPU."""
    (path,) = folder.rglob("*.xplane.pb")
    kernels = [
        (event.start_ns, event.end_ns)
        for plane in jax.profiler.ProfileData.from_file(str(path)).planes
        if plane.name.startswith("/device:GPU")
        for line in plane.lines
        if line.name.startswith("Stream")
        for event in line.events
    ]
    if not kernels:
        return None
    union, length = covered(kernels)
    return round(union / length, 4)
