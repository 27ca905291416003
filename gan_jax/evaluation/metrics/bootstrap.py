"""The standard error of a metric over images, by the bootstrap."""

from collections.abc import Callable

import numpy as np


def bootstrap_standard_error(
    metric: Callable[..., float], *arrays: np.ndarray, num_resamples: int = 100, paired: bool = False, seed: int = 0
) -> float:
    """Standard deviation of metric(*arrays) over resamples of the rows with replacement (Efron 1979).

    Each array [N, ...] is resampled independently, as for two sets of images. With `paired`, the same rows are used for
    all arrays, as for labels and predictions. Rows must be independent. The classifier, the generator's weights and the
    bins are fixed: this is the error over images, not over trainings.

    A resample has repeated rows (37 % of the rows are missing). So the bootstrap is invalid for metrics of nearest
    neighbours (precision, recall, density, coverage, 1-NN test). It also shifts the mean of the Frechet and the kernel
    distance, so only the standard deviation is returned; do not use resamples to correct a bias.
    ValueError for no arrays, fewer than 2 rows or resamples, or paired arrays of different lengths.
    """
    arrays = [np.asarray(array) for array in arrays]
    if num_resamples < 2 or not arrays or any(array.ndim < 1 or len(array) < 2 for array in arrays):
        shapes = ", ".join(str(array.shape) for array in arrays) or "none"
        raise ValueError(f"expected arrays of 2 or more rows and 2 or more resamples, got {shapes}; {num_resamples}")
    if paired and len({len(array) for array in arrays}) > 1:
        raise ValueError(f"expected paired arrays of one length, got {[len(array) for array in arrays]}")
    rng, values = np.random.default_rng(seed), []
    for _ in range(num_resamples):
        rows = [rng.integers(0, len(array), len(array)) for array in (arrays[:1] if paired else arrays)]
        rows = rows * len(arrays) if paired else rows
        values.append(metric(*(array[row] for array, row in zip(arrays, rows, strict=True))))
    return float(np.std(np.asarray(values, np.float64), ddof=1))
