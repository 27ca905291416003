"""Standard errors of scores against the spread over fresh draws of MNIST's digits, for docs/scores.md.

python -m experiments.standard_errors --idx FOLDER

FOLDER has MNIST as IDX files. Features are those of the fixed classifier, of the training images: one half of them
stands for real images, the other half, as it is or changed, for generated ones. Writes standard_errors.json: for each
change the mean, the spread and the error of each score, and scores of real images against real ones at several numbers
of images.
"""

import argparse
import json
import pathlib
import sys

import numpy as np

if not __package__:  # Started as a file: python experiments/standard_errors.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from gan_jax import cli
from gan_jax.data import idx
from gan_jax.data.classes import numbered
from gan_jax.data.dataset import Dataset, Source
from gan_jax.evaluation.digits import fixed_classifier
from gan_jax.evaluation.metrics.frechet import frechet_distance, frechet_standard_error
from gan_jax.evaluation.metrics.kernel import kernel_estimate
from gan_jax.evaluation.metrics.parts import parts_standard_errors
from gan_jax.evaluation.metrics.prdc import PRDC, precision_recall_density_coverage
from gan_jax.evaluation.metrics.two_sample import nearest_neighbour_test
from gan_jax.runs.provenance import provenance
from gan_jax.system import files
from gan_jax.system.errors import UserError

NAMES = ("frechet_distance", "kernel_distance", *PRDC._fields, "two_sample_accuracy")
SIZE, DRAWS, ERRORS = 500, 200, 60  # images of each set; draws; draws of which the error is computed too
_SIZES = ((500, 500, 30), (1000, 1000, 30), (10_000, 1000, 20), (2500, 2500, 10), (10_000, 10_000, 6))


def _neighbours(real: np.ndarray, fake: np.ndarray) -> list[float]:
    return [*precision_recall_density_coverage(real, fake), nearest_neighbour_test(real, fake).accuracy]


def changed(features: np.ndarray, labels: np.ndarray, change: str) -> np.ndarray:
    """Features [N, F] of generated images. warped: plus a fixed linear map. lacking: no 3, and 1.1 times as large."""
    if change == "warped":
        size = features.shape[1]
        return features + features @ np.random.default_rng(0).normal(0, 0.02, (size, size)).astype(np.float32)
    return features if change == "none" else features[labels != 3] * np.float32(1.1)


def errors_and_spread(real: np.ndarray, fake: np.ndarray, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Of each score: its mean, its standard deviation over draws, and the quadratic mean of its standard errors."""
    values, errors = [], []
    for draw in range(DRAWS):
        a, b = (pool[rng.choice(len(pool), SIZE, replace=False)] for pool in (fake, real))
        kernel = kernel_estimate(a, b)
        values.append([frechet_distance(a, b), kernel.value, *_neighbours(b, a)])
        if draw < ERRORS:
            of_neighbours = parts_standard_errors(_neighbours, b, a)
            errors.append([frechet_standard_error(a, b), kernel.standard_error, *of_neighbours])
    columns = np.mean(values, axis=0), np.std(values, axis=0, ddof=1), np.sqrt(np.mean(np.square(errors), axis=0))
    return {
        name: {"mean": mean, "spread": spread, "standard_error": error, "ratio": error / spread}
        for name, mean, spread, error in zip(NAMES, *map(np.ndarray.tolist, columns), strict=True)
    }


def real_at_sizes(features: np.ndarray, rng: np.random.Generator) -> list[dict]:
    """Frechet distances of real images to others, and precision, for several numbers of images."""
    rows = []
    for n, m, draws in _SIZES:
        orders = [rng.permutation(len(features))[: n + m] for _ in range(draws)]
        sets = [(features[order[:n]], features[order[n:]]) for order in orders]
        distance = float(np.mean([frechet_distance(a, b) for a, b in sets]))
        row = {"num_generated": n, "num_real": m, "draws": draws, "frechet_distance": distance}
        row["frechet_distance_per_inverse"] = distance / (1 / n + 1 / m)
        if n == m <= 2500:
            row["precision"] = float(np.mean([precision_recall_density_coverage(b, a).precision for a, b in sets[:10]]))
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.standard_errors", description=__doc__)
    parser.add_argument("--idx", required=True, help="folder of MNIST as IDX files")
    parser.add_argument("--output", default="experiments/results")
    arguments = parser.parse_args()
    train, test = (idx.load_split(pathlib.Path(arguments.idx), name) for name in ("train", "test"))
    classifier = fixed_classifier(Dataset("mnist", Source("IDX files"), "mnist", train, test, numbered(10)))
    if classifier is None:
        raise UserError(f"--idx={arguments.idx} has other images than MNIST's; give the folder of its four files")
    features, half, rng = classifier(train.images)[0], len(train.labels) // 2, np.random.default_rng(0)
    fakes = {name: changed(features[:half], train.labels[:half], name) for name in ("none", "warped", "lacking")}
    right = classifier(test.images)[1].argmax(axis=1) == test.labels
    record = {
        "classifier": classifier.digest,
        "size": SIZE,
        "draws": DRAWS,
        "draws_of_errors": ERRORS,
        "scores": {name: errors_and_spread(features[half:], fake, rng) for name, fake in fakes.items()},
        "real_at_sizes": real_at_sizes(features, rng),
        "accuracy_of_first_and_last_5000_test_images": [float(right[:5000].mean()), float(right[5000:].mean())],
        **provenance(),
    }
    files.write_text(pathlib.Path(arguments.output) / "standard_errors.json", json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    cli.execute(main)
