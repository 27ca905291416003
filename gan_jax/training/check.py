"""Checks a config and its data for every known mistake, before anything is written or compiled."""

import jax
from ml_collections import ConfigDict

from gan_jax.data.batches import abstract_batches, batch_plan
from gan_jax.data.dataset import Dataset
from gan_jax.data.prefetch import check_stream
from gan_jax.devices.mesh import make_placement
from gan_jax.gan.step import Gan
from gan_jax.runs.initial_state import abstract_state
from gan_jax.runs.seeds import seeds_of
from gan_jax.semi_supervised import codistillation
from gan_jax.semi_supervised.labels import check_labels
from gan_jax.system.errors import UserError
from gan_jax.training.guard import make_guard
from gan_jax.training.programs import check_placement
from gan_jax.training.validation import check_validation


def check(config: ConfigDict, dataset: Dataset, gan: Gan) -> None:
    """UserError for a config that cannot be trained on these data. gan: built from the config."""
    if jax.config.jax_enable_x64:  # The commands switch it off.
        raise UserError("a GAN is float32; set jax.config.update('jax_enable_x64', False) before training")
    placement = make_placement(config.mesh, config.batch_size, config.num_seeds)
    check_labels(config, dataset)
    codistillation.check(config, seeds_of(config))
    check_validation(config.eval, dataset)
    make_guard(config)
    if dataset.is_streamed:
        check_stream(batch_plan(config), jax.process_count())
    check_placement(config.mesh, placement.num_seed_shards, dataset.is_streamed)
    check_step(config, gan, dataset.image_shape)


def check_step(config: ConfigDict, gan: Gan, image_shape: tuple[int, ...]) -> None:
    """Traces one training step without computing it. Layers, losses and optimizers raise errors for wrong settings."""
    state = abstract_state(gan, config.init_batch_size, image_shape)
    batches = abstract_batches(batch_plan(config), image_shape, labelled=bool(config.data.num_labels))
    batches = batches._replace(extras=codistillation.abstract_extras(config, gan, state, batches))
    jax.eval_shape(gan.step, state, batches, jax.random.key(0))
