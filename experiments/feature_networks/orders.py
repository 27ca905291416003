"""Distances of sets of images to real training images, in several features: which changes are seen, and how much."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage

from gan_jax.data.dataset import Dataset, Split, balanced
from gan_jax.evaluation.features import EXTRACTORS
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.metrics.kernel import kernel_distance
from gan_jax.runs.dataset import load_data
from gan_jax.runs.load import LoadedRun, load_run
from gan_jax.system.errors import UserError

REAL = "real test images"
NUM_REAL_SETS = 3  # disjoint sets of test images, for the spread of a distance by chance
# Names that need no file of the user.
NAMES = tuple(name for name in EXTRACTORS if name != "inception")


def blur(images: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur with a standard deviation of `sigma` pixels, rounded to bytes."""
    return _bytes(ndimage.gaussian_filter(images.astype(np.float32), (0, sigma, sigma, 0), mode="nearest"))


def add_noise(images: np.ndarray, stddev: float) -> np.ndarray:
    """Independent Gaussian noise on every byte, clipped to 0 to 255."""
    return _bytes(images + np.random.default_rng(0).normal(0, stddev, images.shape))


def _bytes(images: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def runs_on(paths: list[str], dataset: Dataset, data_dir: str) -> list[LoadedRun]:
    """The runs in these workdirs, at their last checkpoints; UserError for a run on other images."""
    runs = [load_run(path) for path in paths]
    for path, run in zip(paths, runs, strict=True):
        if not np.array_equal(load_data(run.config.data, data_dir).test.images, dataset.test.images):
            raise UserError(f"--runs: {path} was trained on other images than those of --images")
    return runs


def image_sets(dataset: Dataset, num_images: int, runs: list[LoadedRun]) -> dict[str, list[np.ndarray]]:
    """name -> sets of `num_images` images of the TEST split. Changed images are those of the first real set.

    runs: each adds a set of generated images, seed 0, with equally many of each class.
    """
    rng, (images, labels) = np.random.default_rng(0), dataset.test
    rows = balanced(labels, NUM_REAL_SETS * num_images, rng)
    real = [images[part] for part in np.array_split(rows, NUM_REAL_SETS)]
    half = dataset.num_classes // 2
    of_half = Split(images[labels < half], labels[labels < half])
    fewer = of_half.images[balanced(of_half.labels, num_images, rng)]
    return {
        REAL: real,
        f"{half} of {dataset.num_classes} classes": [fewer],
        "blurred by 0.5 pixels": [blur(real[0], 0.5)],
        "blurred by 1 pixel": [blur(real[0], 1.0)],
        "noise of 5 of 255": [add_noise(real[0], 5.0)],
        "noise of 20 of 255": [add_noise(real[0], 20.0)],
    } | {
        f"generated, step {run.step:,}": [run.generate(balanced_labels(num_images, dataset.num_classes))]
        for run in runs
    }


def measure(dataset: Dataset, names: list[str], num_images: int, data_dir: str, runs: list[LoadedRun]) -> dict:
    """For each extractor the name of its features, and each set's distances to `num_images` TRAINING images."""
    rows = balanced(dataset.train.labels, num_images, np.random.default_rng(1))
    reference, sets, columns = dataset.train.images[rows], image_sets(dataset, num_images, runs), []
    for name in names:
        extract, features_name = EXTRACTORS[name](dataset, data_dir, "", "auto")
        distances = list(_distances(extract, reference, sets))
        columns.append({"extractor": name, "features": features_name, "sets": distances})
        print(columns[-1], flush=True)
    return {"num_images": num_images, "columns": columns}


def _distances(extract: Callable, reference: np.ndarray, sets: dict[str, list[np.ndarray]]) -> Iterator[dict]:
    real = extract(reference)[0]
    for set_name, images in sets.items():
        features = [extract(part)[0] for part in images]
        yield {
            "set": set_name,
            "frechet_distance": [frechet_distance(part, real) for part in features],
            "kernel_distance": [kernel_distance(part, real) for part in features],
        }
