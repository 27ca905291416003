"""Which training images show their label, and what the others show instead."""

from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict
from scipy.sparse import csr_array

from gan_jax.data.dataset import Dataset, balanced
from gan_jax.gan.types import Batch
from gan_jax.semi_supervised import propagation
from gan_jax.system.errors import UserError


def check_labels(config: ConfigDict, dataset: Dataset) -> None:
    """UserError if the data cannot have the labels that the config asks for."""
    number, most = config.data.num_labels, len(dataset.train.labels)
    if number and not dataset.num_classes <= number <= most:
        raise UserError(f"data.num_labels={number}: from {dataset.num_classes}, one a class, to {most}, or 0")
    if config.data.num_label_subsets < 0:
        raise UserError(f"data.num_label_subsets={config.data.num_label_subsets}: must be at least 0")
    if config.d_loss.propagated_label and dataset.is_streamed:
        raise UserError("d_loss.propagated_label compares all images in memory: set --config.data.stream=never")


def training_batches(config: ConfigDict, dataset: Dataset, seeds: Sequence[int], data_dir: str = "") -> list[Batch]:
    """The training split as each seed sees it. data_dir: the cache folder of the neighbour graph, "" for the user's."""
    number, num_subsets = config.data.num_labels, config.data.num_label_subsets
    if not number:
        return [Batch(*dataset.train)] * len(seeds)
    graph = None
    if config.d_loss.propagated_label and seeds:
        graph = propagation.neighbour_graph(dataset.train.images, data_dir)
    return [few_labels(dataset, number, label_subset(seed, num_subsets), graph) for seed in seeds]


def label_subset(seed: int, num_subsets: int) -> int:
    """Which subset of labelled images a seed has: its own, or one of `num_subsets` that seeds share."""
    return seed % num_subsets if num_subsets else seed


def few_labels(dataset: Dataset, number: int, subset: int, graph: csr_array | None = None) -> Batch:
    """The training split as uint8 images and labels, with `number` of them apart as `labelled`.

    The labels of all images are then replaced by those propagated over `graph`. An image that no labelled one reaches,
    and every image without a graph, gets a random label: nothing downstream can learn from the true ones.
    """
    images, labels = dataset.train
    rng = np.random.default_rng([subset, number])
    chosen = balanced(labels, number, rng)
    known = Batch(images[chosen], labels[chosen])
    others = rng.integers(0, dataset.num_classes, len(labels)).astype(np.int32)
    if graph is not None:
        propagated = propagation.propagate(graph, chosen, known.labels, dataset.num_classes)
        others = np.where(propagated < 0, others, propagated)
    return Batch(images, others, known)
