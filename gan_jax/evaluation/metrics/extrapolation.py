"""The Frechet distance extrapolated to infinitely many images, from its values at several numbers of images."""

from typing import NamedTuple

import numpy as np

from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.metrics.neighbours import checked


class Extrapolation(NamedTuple):
    """A fit distances ~ distance + slope / sizes of the Frechet distances [P] at the numbers of images `sizes` [P]."""

    distance: float
    slope: float
    sizes: np.ndarray
    distances: np.ndarray


def extrapolated_frechet_distance(
    real: np.ndarray, fake: np.ndarray, num_points: int = 15, smallest: int | None = None, seed: int = 0
) -> Extrapolation:
    """Intercept at 1/n = 0 of the least-squares line through (1/n, Frechet distance of n real and n fake images).

    FD-infinity, arXiv 1911.07023, of features real [N, F] and fake [M, F]. The plain estimate is too high by about
    slope / n, and the slope differs between generators. There are `num_points` evenly spaced sizes from `smallest`
    (default: a tenth of all images, at least 2 F) to min(N, M); each size has an independent random subset. The paper
    subsamples only the generated images, which removes only their bias. Here both sets are subsampled, because a real
    set of 10,000 images is not more exact.

    The bias is smaller than that of the plain estimate, but the standard deviation is larger, and the result may be
    below 0. The line is a good approximation only for n >> F.
    ValueError if `num_points` sizes do not fit between `smallest` and min(N, M).
    """
    real, fake = checked(real, fake)
    largest = min(len(real), len(fake))
    first = max(largest // 10, 2 * real.shape[1], 2) if smallest is None else smallest
    if num_points < 2 or not 2 <= first <= largest - num_points + 1:
        raise ValueError(f"expected room for {num_points} >= 2 sizes from {first} >= 2 rows on, got {largest} rows")
    rng = np.random.default_rng(seed)
    sizes = np.linspace(first, largest, num_points).astype(int)

    def subset(features, size):
        return features[rng.choice(len(features), size, replace=False)]

    distances = np.array([frechet_distance(subset(real, size), subset(fake, size)) for size in sizes])
    x = 1 / sizes - np.mean(1 / sizes)
    slope = x @ distances / (x @ x)
    return Extrapolation(float(distances.mean() - slope * np.mean(1 / sizes)), float(slope), sizes, distances)
