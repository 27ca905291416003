"""The side of the ImageNet network's input: images per second, and how much of the classes is in the features."""

import time
from collections.abc import Callable

import numpy as np

from experiments.feature_networks.linear_probe import Labelled, probe
from gan_jax.data.dataset import Dataset, Split, balanced
from gan_jax.evaluation import efficientnet_weights
from gan_jax.evaluation.efficientnet import EfficientNetFeatures
from gan_jax.evaluation.features import pixels

NUM_FIT, NUM_VALIDATION, NUM_TEST = 1500, 1000, 1000


def probe_splits(dataset: Dataset) -> tuple[Split, Split, Split]:
    """(fit, validation, test): disjoint random images, balanced over the classes; the first two of the TRAIN split."""
    rng = np.random.default_rng(0)
    train_rows = balanced(dataset.train.labels, NUM_FIT + NUM_VALIDATION, rng)
    test_rows = balanced(dataset.test.labels, NUM_TEST, rng)
    rows = train_rows[:NUM_FIT], train_rows[NUM_FIT:]
    return (*(dataset.train.select(part) for part in rows), dataset.test.select(test_rows))


def accuracies(dataset: Dataset, side_list: list[int]) -> dict:
    """The numbers of images, a row for the pixels, and one for each side."""
    splits, variables = probe_splits(dataset), efficientnet_weights.load_variables()
    rows = [{"features": "pixels", **_accuracy(lambda images: pixels(images)[0], splits)}]
    for side in side_list:
        extract = EfficientNetFeatures(variables, side)
        rows.append({"features": extract.name, "side": side, **_accuracy(lambda images: extract(images)[0], splits)})
        print(rows[-1], flush=True)
    return {"rows": rows, "num_fit": NUM_FIT, "num_validation": NUM_VALIDATION, "num_test": NUM_TEST}


def _accuracy(extract: Callable[[np.ndarray], np.ndarray], splits: tuple[Split, Split, Split]) -> dict:
    return probe(*(Labelled(extract(split.images), split.labels) for split in splits))._asdict()


def speeds(dataset: Dataset, side_list: list[int]) -> dict:
    """Images per second, and seconds of CPU time an image, for each side.

    Of the fastest of 40 repeats with two batches each: other programs only make a repeat slower.
    """
    variables, images, rows = efficientnet_weights.load_variables(), dataset.train.images[:32], []
    for side in side_list:
        extract, repeats = EfficientNetFeatures(variables, side), []
        for _ in range(41):
            start = time.perf_counter(), time.process_time()
            extract(images)
            repeats.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        wall, cpu = (min(column) / len(images) for column in zip(*repeats[1:], strict=True))  # The first one compiles.
        rows.append({"side": side, "images_per_second": 1 / wall, "cpu_seconds_per_image": cpu})
        print(rows[-1], flush=True)
    return {"rows": rows}
