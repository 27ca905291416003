"""Checks a config and its data for every known mistake, before anything is written or compiled."""

import logging

import jax
from ml_collections import ConfigDict

from gan_jax.build import settings_with_labels
from gan_jax.data.batches import abstract_batches, batch_plan
from gan_jax.data.dataset import Dataset
from gan_jax.data.prefetch import check_stream
from gan_jax.devices import hosts
from gan_jax.devices.mesh import make_placement
from gan_jax.evaluation import instance_selection
from gan_jax.gan.step import Gan
from gan_jax.gan.types import GanState
from gan_jax.runs.initial_state import abstract_state
from gan_jax.runs.records import services
from gan_jax.runs.seeds import seeds_of
from gan_jax.semi_supervised import codistillation
from gan_jax.semi_supervised.labels import check_labels
from gan_jax.system.errors import UserError
from gan_jax.training.guard import make_guard
from gan_jax.training.programs import check_placement
from gan_jax.training.validation import check_validation


def check(config: ConfigDict, dataset: Dataset, gan: Gan) -> None:
    """UserError for a config that cannot be trained on these data; warnings for what the data set has not as it was.

    gan: built from the config.
    """
    if jax.config.jax_enable_x64:  # The commands switch it off.
        raise UserError("a GAN is float32; set jax.config.update('jax_enable_x64', False) before training")
    seeds = seeds_of(config)
    placement = make_placement(config.mesh, config.batch_size, len(seeds))
    _check_has_labels(config, dataset)
    check_labels(config, dataset)
    instance_selection.check(config.data, dataset)
    if config.d_loss.codistillation:
        codistillation.check(config.data, seeds, config.mesh, config.guard.debug)
    check_validation(config.eval, dataset)
    make_guard(config)
    services(config.records)
    if dataset.is_streamed:
        check_stream(batch_plan(config), jax.process_count())
    check_placement(config.mesh, placement.num_seed_shards, dataset.is_streamed)
    trace_step(config, gan, dataset.image_shape)
    for note in dataset.notes if hosts.leads() else ():
        logging.getLogger(__name__).warning("%s", note)


def _check_has_labels(config: ConfigDict, dataset: Dataset) -> None:
    """UserError if the config uses labels and the images have none."""
    if not dataset.has_labels and (settings := settings_with_labels(config)):
        raise UserError(
            f"the images of {dataset.source} have no labels, which {', '.join(settings)} would use; take an "
            "unconditional config such as --config dcgan, or put the images of each class into a folder"
        )


def trace_step(config: ConfigDict, gan: Gan, image_shape: tuple[int, ...]) -> tuple[GanState, GanState, dict]:
    """(state before, state after, metrics) of one training step, in shapes: nothing is computed.

    Layers, losses and optimizers raise errors for wrong settings.
    """
    state = abstract_state(gan, config.init_batch_size, image_shape)
    batches = abstract_batches(batch_plan(config), image_shape, labelled=bool(config.data.num_labels))
    if config.d_loss.codistillation:
        batches = batches._replace(extras=codistillation.abstract_extras(gan, state, batches))
    return state, *jax.eval_shape(gan.step, state, batches, jax.random.key(0))
