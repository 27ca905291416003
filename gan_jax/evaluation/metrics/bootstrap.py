"""How far a metric would move with other images: the bootstrap over rows."""

from collections.abc import Callable

import numpy as np


def bootstrap_standard_error(
    metric: Callable[..., float], *arrays: np.ndarray, num_resamples: int = 100, paired: bool = False, seed: int = 0
) -> float:
    """Standard deviation of metric(*arrays) over resamples, rows drawn with replacement (Efron 1979).

    Each array [N, ...] is resampled on its own, as two sets of images; with `paired`, all by the same rows, as labels
    and predictions. It holds the classifier, the generator's weights and the bins fixed: it is the error that other
    images would make, not other trainings. Rows must be independent.

    A resample has repeated rows (37 % are left out), which is fatal to metrics of nearest neighbours (precision to
    coverage, 1-NN test), and shifts the mean of biased or unbiased ones (Frechet, kernel distance): only the spread is
    given, do not correct by the mean. ValueError for no arrays, fewer than 2 rows or resamples, or paired arrays of
    several lengths.
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
