"""Medians with quartiles."""

import numpy as np


def quartiles(values) -> dict[str, float]:
    """Lower quartile, median and upper quartile, to four significant digits."""
    names = ("lower", "median", "upper")
    return {name: float(f"{value:.4g}") for name, value in zip(names, np.percentile(values, (25, 50, 75)), strict=True)}
