"""How much of the classes is in features: the accuracy of a linear classifier by ridge regression."""

from typing import NamedTuple

import numpy as np

# Penalties, as multiples of the number of features: of the mean eigenvalue of the correlations, which is 1.
PENALTIES = tuple(float(10.0**exponent) for exponent in range(-3, 3))


class Labelled(NamedTuple):
    """features [N, F], labels [N]."""

    features: np.ndarray
    labels: np.ndarray


class Probe(NamedTuple):
    """Accuracies of the classifier with the penalty that is the best on the validation images."""

    validation: float
    test: float
    penalty: float


def probe(fit: Labelled, validation: Labelled, test: Labelled) -> Probe:
    """argmin_W |X W - Y|^2 + penalty F |W|^2 on the images of `fit`, with Y one-hot; a class is the largest output.

    Features are standardised by the mean and the standard deviation over `fit`. The penalty is chosen on `validation`;
    `test` decides nothing.
    """
    mean, stddev = fit.features.mean(axis=0), fit.features.std(axis=0)
    stddev = np.where(stddev > 0, stddev, 1)  # A feature that is constant stays 0.
    x, *others = (((part.features - mean) / stddev).astype(np.float64) for part in (fit, validation, test))
    classes = np.unique(fit.labels)
    targets = (fit.labels[:, None] == classes[None]).astype(np.float64)
    offset = targets.mean(axis=0)
    # The dual form: a system of as many equations as images, whose eigenvectors serve all penalties.
    values, vectors = np.linalg.eigh(x @ x.T)
    projected = vectors.T @ (targets - offset[None])
    kernels = [other @ x.T @ vectors for other in others]

    def accuracies(penalty: float) -> list[float]:
        weights = projected / (values + penalty * x.shape[1])[:, None]
        predicted = [classes[(kernel @ weights + offset[None]).argmax(axis=1)] for kernel in kernels]
        return [float((a == b.labels).mean()) for a, b in zip(predicted, (validation, test), strict=True)]

    results = [Probe(*accuracies(penalty), penalty) for penalty in PENALTIES]
    return max(results, key=lambda result: result.validation)
