"""Which step of a run is the best by its validation scores."""

METRIC = "validation_frechet_distance"


SECONDS = "validation_seconds"


# The best states kept: a kill right after a score takes the run back to before it, where the one before is the best.
KEPT = 2


def best_step(rows: list[dict], steps: list[int]) -> int | None:
    """The step of the lowest validation Frechet distance, the first of equal ones, among `steps`; None without one."""
    found = {row["step"]: row[METRIC] for row in rows if METRIC in row and row["step"] in steps}
    return min(found, key=found.get) if found else None
