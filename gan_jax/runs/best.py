"""Which step of a run is the best by its validation scores."""

from collections.abc import Mapping

METRIC = "validation_frechet_distance"
SECONDS = "validation_seconds"
# The best states kept: a kill right after a score takes the run back to before it, where the one before is the best.
KEPT = 2


def scores(rows: list[dict], metric: str = METRIC) -> dict[int, float]:
    """step -> a validation score, of the rows of metrics that have it."""
    return {row["step"]: row[metric] for row in rows if metric in row}


def best_step(scores: Mapping[int, float]) -> int | None:
    """The step of the lowest score, by default the Frechet distance, the first of equal ones; None without any."""
    return min(scores, key=scores.get) if scores else None
