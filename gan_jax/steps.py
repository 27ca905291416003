"""Several training steps in one compiled call, and the data that they read."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from scipy.sparse import csr_array

from gan_jax import compiler, propagation
from gan_jax.data.dataset import BatchOrder, Dataset, balanced, to_float
from gan_jax.errors import UserError
from gan_jax.mesh import ONE_DEVICE, ManyDevices, OneDevice, spread
from gan_jax.types import Batch, Gan, GanState


class Indices(NamedTuple):
    """What each step reads: images by their numbers, int32 [steps, d_steps, B], of all and of the labelled (or None).

    images: None where the data are the call's own batches [steps, d_steps, B, ...], one step after the other.
    of_g: of all again, [steps, 1, B], where G's update has real images of its own.
    taught: class probabilities [steps, d_steps, B, K] that D learns of them, where networks teach each other.
    """

    images: np.ndarray | None
    labelled: np.ndarray | None
    of_g: np.ndarray | None = None
    taught: jax.Array | None = None


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


class Order:
    """The indices of any steps of a run: a pure function of (seed, step)."""

    def __init__(self, config: ConfigDict, data: Batch):
        seed, size, d_steps = config.seed, config.batch_size, config.d_steps
        self._orders = {"images": BatchOrder(seed, len(data.labels), d_steps, size)}
        if data.labelled:
            self._orders["labelled"] = BatchOrder(seed, len(data.labelled.labels), d_steps, size, stream=1)
        if config.g_batch == "own":
            self._orders["of_g"] = BatchOrder(seed, len(data.labels), 1, size, stream=2)
        self._steps = config.steps_per_call

    def __call__(self, first_step: int, num_steps: int) -> Indices:
        """Indices of the steps from `first_step` on, filled up to the length of a call."""

        def fill(order: BatchOrder) -> np.ndarray:
            known = order(first_step, num_steps)
            indices = np.zeros((self._steps, *known.shape[1:]), np.int32)
            indices[:num_steps] = known
            return indices

        return Indices(**{"labelled": None} | {name: fill(order) for name, order in self._orders.items()})


def gather(data: Batch, indices: Indices, step: jax.Array | int) -> Batch:
    """The batches of one step, as floats."""

    def take(source: Batch, rows: jax.Array) -> Batch:
        return Batch(spread(to_float(source.images[rows]), 1), spread(source.labels[rows], 1))

    labelled = take(data.labelled, indices.labelled[step]) if data.labelled else None
    of_g = None if indices.of_g is None else take(data, indices.of_g[step])
    batches = take(data, step if indices.images is None else indices.images[step])
    taught = None if indices.taught is None else spread(indices.taught[step], 1)
    return batches._replace(labelled=labelled, of_g=of_g, taught=taught)


def _for_seeds(call: Callable, data_axes: Batch, axis_name: str | None) -> Callable:
    """`call` of states [seeds, ...] that are all at one step.

    The step has no axis of its own inside: of a term that comes in late `lax.cond` then computes one branch, and not
    both as it must where each seed may be at another step.
    """
    axes = GanState(step=None, generator=0, discriminator=0)
    mapped = jax.vmap(call, in_axes=(axes, data_axes, 0, 0), out_axes=(axes, 0), spmd_axis_name=axis_name)

    def together(state, *arguments):
        new, metrics = mapped(state._replace(step=state.step[0]), *arguments)
        return new._replace(step=jnp.broadcast_to(new.step, state.step.shape)), metrics

    return together


def compile_steps(
    gan: Gan, steps_per_call: int, seeds_axes: Batch | None = None, place: OneDevice | ManyDevices = ONE_DEVICE
) -> Callable:
    """jit of (state, data, indices, count, key) -> (state, metrics): `count` steps in one call.

    data: Batch of uint8 images and labels, which stay on the device, or a call's own; indices: Indices of
    `steps_per_call` steps.
    metrics are arrays [steps_per_call] of which the first `count` entries hold. seeds_axes: for several seeds at once,
    where state, indices, key and metrics have a leading axis for them, and `data` where this says 0; all are at the
    same step. place: where the arrays lie.
    """

    def call(count, state, data, indices, key):
        def body(i, carry):
            state, metrics = carry
            state, values = gan.step(state, gather(data, indices, i), key)
            return state, jax.tree.map(lambda all_steps, value: all_steps.at[i].set(value), metrics, values)

        shapes = jax.eval_shape(lambda: gan.step(state, gather(data, indices, 0), key)[1])
        metrics = jax.tree.map(lambda leaf: jnp.zeros((steps_per_call,), leaf.dtype), shapes)
        return jax.lax.fori_loop(0, count, body, (state, metrics))

    def program(state, data, indices, count, key):
        counted = functools.partial(call, count)
        if seeds_axes is not None:
            counted = _for_seeds(counted, seeds_axes, place.seed_axis)
        with place.inside():
            return counted(state, data, indices, key)

    # An accelerator stops at every step of a loop of unknown length to tell the host whether another one follows: there
    # a shorter call, before a score or at a run's end, is a program of its own. On a CPU it is the same one.
    static = () if jax.default_backend() == "cpu" else (3,)
    shardings = place.outputs(seeds_axes is not None)
    return compiler.jit(program, donate_argnums=0, static_argnums=static, out_shardings=shardings)
