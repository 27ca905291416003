"""How long many arms would take: estimated from the times of the trainings on record."""

import math
import statistics

from experiments.reporting import markdown
from experiments.reporting.results import Study

ARMS, SEEDS = 10_000, 3
_WORKERS = (1, 8, 64, 256)


def training_seconds(study: Study) -> list[float]:
    """The seconds of each completed training of the study's length. Arms of another length are left out."""
    runs = (run for arm in study.arms.values() for run in arm.runs.values())
    return [run.seconds for run in runs if run.completed and run.step == study.steps and run.seconds]


def table(studies: list[Study]) -> str:
    """For each study the median time of one training, and the hours of a sweep: ceil(arms seeds / workers) times it."""
    rows = []
    for study in sorted(studies, key=lambda study: study.title):
        if seconds := training_seconds(study):
            median = statistics.median(seconds)
            hours = [f"{math.ceil(ARMS * SEEDS / workers) * median / 3600:,.1f}" for workers in _WORKERS]
            rows.append([study.title, study.steps, len(seconds), f"{median:.0f}", *hours])
    head = ["study", "steps", "trainings timed", "median seconds", *(f"hours, {n} workers" for n in _WORKERS)]
    return markdown.table(head, rows)
