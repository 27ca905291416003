"""The step of a run with the best validation score."""

from collections.abc import Mapping

METRIC = "validation_frechet_distance"
SECONDS = "validation_seconds"
# Number of best states to keep. If the run is killed right after a score, it resumes from before this score, and the
# best state is the previous one.
NUM_KEPT_BEST = 2


def scores(rows: list[dict], metric: str = METRIC) -> dict[int, float]:
    """step -> a validation score, of the rows of metrics that have it."""
    return {row["step"]: row[metric] for row in rows if row.get(metric) is not None}


def is_exhausted(scores: Mapping[int, float], patience: int) -> bool:
    """Whether the last `patience` scores are no improvement; always False for a patience of 0."""
    return bool(patience) and sum(step > best_step(scores) for step in scores) >= patience


def best_step(scores: Mapping[int, float]) -> int | None:
    """The step of the lowest score, by default the Frechet distance, the first of equal ones; None without any."""
    return min(scores, key=scores.get) if scores else None
