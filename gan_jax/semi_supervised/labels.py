"""Which training images show their label, and what the others show in its place."""

import numpy as np
from ml_collections import ConfigDict
from scipy.sparse import csr_array

from gan_jax.data.dataset import Dataset, balanced
from gan_jax.gan.types import Batch
from gan_jax.semi_supervised import propagation
from gan_jax.system.errors import UserError


def check_labels(config: ConfigDict, dataset: Dataset) -> None:
    """UserError where the data cannot have the labels that the config asks for."""
    number, most = config.data.num_labels, len(dataset.train.labels)
    if number and not dataset.num_classes <= number <= most:
        raise UserError(f"data.num_labels={number}: from {dataset.num_classes}, one a class, to {most}, or 0")
    if config.data.label_draws < 0:
        raise UserError(f"data.label_draws={config.data.label_draws}: must be at least 0")
    if config.d_loss.propagated_label and dataset.is_streamed:
        raise UserError("d_loss.propagated_label compares all images in memory: set --config.data.stream=never")


def label_graph(config: ConfigDict, dataset: Dataset, data_dir: str = "") -> csr_array | None:
    """What labels are propagated over, the same for every seed; None where the config does not ask for it.

    data_dir: the cache folder that keeps it, "" for the user's.
    """
    if not config.d_loss.propagated_label:
        return None
    return propagation.neighbour_graph(dataset.train.images, data_dir)


def label_draw(config: ConfigDict) -> int:
    """Which draw of the labelled images a seed has."""
    draws = config.data.label_draws
    return config.seed % draws if draws else config.seed


def training_data(config: ConfigDict, dataset: Dataset, graph: csr_array | None = None) -> Batch:
    """The training split as uint8 images and labels, with `data.num_labels` of them set apart as labelled.

    The labels of the others are then replaced: by those propagated over `graph`, and where there is none or no
    labelled image can be reached by random ones. Nothing downstream can learn from the true ones.
    """
    images, labels = dataset.train
    number = config.data.num_labels
    check_labels(config, dataset)
    if not number:
        return Batch(images, labels)
    rng = np.random.default_rng([label_draw(config), number])
    chosen = balanced(labels, number, rng)
    known = Batch(images[chosen], labels[chosen])
    others = rng.integers(0, dataset.num_classes, len(labels)).astype(np.int32)
    if graph is not None:
        found = propagation.propagate(graph, chosen, known.labels, dataset.num_classes)
        others = np.where(found < 0, others, found)
    return Batch(images, others, known)
