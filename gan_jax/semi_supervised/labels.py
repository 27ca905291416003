"""Semi-supervised data: which training images have a known label, and the labels of the other images."""

from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict
from scipy.sparse import csr_array

from gan_jax.data.dataset import Dataset, balanced
from gan_jax.evaluation import instance_selection
from gan_jax.gan.types import Batch
from gan_jax.semi_supervised import propagation
from gan_jax.system.errors import UserError


def check_labels(config: ConfigDict, dataset: Dataset) -> None:
    """UserError if the data set cannot provide the labelled images of the config."""
    num_labels, num_images = config.data.num_labels, len(dataset.train.labels)
    if num_labels and not dataset.num_classes <= num_labels <= num_images:
        smallest = f"{dataset.num_classes}, one per class"
        raise UserError(f"data.num_labels={num_labels}: choose a number from {smallest}, to {num_images}, or 0")
    if config.data.num_label_subsets < 0:
        raise UserError(f"data.num_label_subsets={config.data.num_label_subsets}: must be at least 0")
    if config.d_loss.propagated_label and dataset.is_streamed:
        raise UserError("d_loss.propagated_label compares all images in memory: set --config.data.stream=never")


def training_batches(config: ConfigDict, dataset: Dataset, seeds: Sequence[int], data_dir: str = "") -> list[Batch]:
    """The training images of each seed. data_dir: the cache folder; "": the user's."""
    dataset = instance_selection.select(config.data, dataset, data_dir, config.eval.classifier_flips)
    num_labels, num_subsets = config.data.num_labels, config.data.num_label_subsets
    if not num_labels:
        return [Batch(*dataset.train)] * len(seeds)
    graph = None
    if config.d_loss.propagated_label and seeds:
        graph = propagation.neighbour_graph(dataset.train.images, data_dir)
    return [few_labels(dataset, num_labels, label_subset(seed, num_subsets), graph) for seed in seeds]


def label_subset(seed: int, num_subsets: int) -> int:
    """The index of a seed's subset of labelled images: a subset of its own, or one of `num_subsets` shared subsets."""
    return seed % num_subsets if num_subsets else seed


def few_labels(dataset: Dataset, num_labels: int, subset: int, graph: csr_array | None = None) -> Batch:
    """The training split as uint8 images and labels, with `num_labels` labelled examples in `labelled`.

    The labels of all images are replaced by those that are propagated over `graph`. If no labelled image reaches an
    image, or if there is no graph, its label is random. So no later code can use the true labels.
    """
    images, labels = dataset.train
    rng = np.random.default_rng([subset, num_labels])
    chosen = balanced(labels, num_labels, rng)
    known = Batch(images[chosen], labels[chosen])
    visible_labels = rng.integers(0, dataset.num_classes, len(labels)).astype(np.int32)
    if graph is not None:
        propagated = propagation.propagate(graph, chosen, known.labels, dataset.num_classes)
        visible_labels = np.where(propagated < 0, visible_labels, propagated)
    return Batch(images, visible_labels, known)
