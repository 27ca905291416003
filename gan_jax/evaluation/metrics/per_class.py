"""The Frechet distance within each class."""

import numpy as np

from gan_jax.evaluation.metrics.frechet import frechet_distance


def per_class_frechet_distance(
    real: np.ndarray,
    real_labels: np.ndarray,
    fake: np.ndarray,
    fake_labels: np.ndarray,
    num_classes: int,
    least_rows: int = 2,
) -> dict[int, float | None]:
    """Class -> Frechet distance of its real [N, F] and generated [M, F] features.

    The value is None if a class has fewer than `least_rows` real or generated rows. The mean over classes is the
    intra-FID of arXiv 1802.05637. `fake_labels` are the conditions, so an image of the wrong class increases the
    distance of the class in its condition; the distance of all images together ignores such mistakes. A class has few
    images, so its bias is high and depends on their number: compare one class between generators at equal numbers of
    images, not two classes.
    ValueError unless there is one label for each row, and for `least_rows` < 2.
    """
    real_labels, fake_labels = np.asarray(real_labels), np.asarray(fake_labels)
    if real_labels.shape != (len(real),) or fake_labels.shape != (len(fake),):
        shapes = f"{real_labels.shape} for {len(real)} and {fake_labels.shape} for {len(fake)}"
        raise ValueError(f"expected one label for each row, got {shapes}")
    if least_rows < 2:
        raise ValueError(f"a covariance needs 2 rows, got least_rows = {least_rows}")
    sets = {label: (real[real_labels == label], fake[fake_labels == label]) for label in range(num_classes)}
    return {
        label: frechet_distance(a, b) if min(len(a), len(b)) >= least_rows else None for label, (a, b) in sets.items()
    }
