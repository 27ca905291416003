"""The step of a run with the best validation score."""

METRIC = "validation_frechet_distance"


SECONDS = "validation_seconds"


# Number of best states to keep. If the run is killed right after a score, it resumes from before this score, and the
# best state is the previous one.
NUM_KEPT_BEST = 2


def best_step(rows: list[dict], steps: list[int]) -> int | None:
    """The step in `steps` with the lowest validation Frechet distance (the first of equals); None without a score."""
    distances = {row["step"]: row[METRIC] for row in rows if METRIC in row and row["step"] in steps}
    return min(distances, key=distances.get) if distances else None
