"""Standing statistics of batch norm, instead of those that training has averaged."""

from typing import Any

import jax

from gan_jax.devices import compiler
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.gan.player import inference_variables
from gan_jax.networks.build import build_generator
from gan_jax.runs.load import LoadedRun
from gan_jax.system.errors import UserError

# Added to the key, so that the z of these passes are not those of samples with seed 0.
_KEY = 10**9


def with_standing_statistics(run: LoadedRun, num_passes: int) -> LoadedRun:
    """The run with a generator whose batch statistics are means over `num_passes` forward passes of its own.

    BigGAN (arXiv 1809.11096, appendix B): the running statistics of training are averages over parameters that kept
    changing, and their EMA is not what the EMA generator computes. A pass is in training mode, of `config.batch_size`
    new z and of all classes in turn. The EMA generator and the one without EMA each get their own statistics.
    UserError if the generator has no batch statistics.
    """
    if num_passes < 1:
        raise UserError(f"--standing_passes={num_passes}: must be at least 1, or left out")
    player, config = run.state.generator, run.config
    if "batch_stats" not in player.stats:
        raise UserError(
            f"--standing_passes={num_passes}: generator.norm={config.generator.norm} has no statistics of batches; "
            "leave it out"
        )
    if player.ema:
        means = _mean_statistics(run, inference_variables(player), num_passes)
        player = player._replace(ema={**player.ema, "stats": {**player.ema["stats"], "batch_stats": means}})
    means = _mean_statistics(run, inference_variables(player._replace(ema={})), num_passes)
    player = player._replace(stats={**player.stats, "batch_stats": means})
    return run._replace(state=run.state._replace(generator=player))


def _mean_statistics(run: LoadedRun, variables: dict, num_passes: int) -> Any:
    """The mean moments of every batch norm over the passes."""
    config = run.config.copy_and_resolve_references().unlock()
    config.generator.norm_momentum = 0.0  # The running moments after a pass are then those of its batch.
    module = build_generator(config.generator, run.image_shape, run.num_classes, config.init_batch_size, config.dtype)
    labels = balanced_labels(config.batch_size, run.num_classes)

    def statistics(variables: dict, key: jax.Array) -> Any:
        z_key, dropout_key = jax.random.split(key)
        z = run.gan.prior(z_key, len(labels))
        _, changed = module.apply(
            variables, z, labels, train=True, rngs={"dropout": dropout_key}, mutable=["batch_stats"]
        )
        return changed["batch_stats"]

    compiled, keys = compiler.jit(statistics), jax.random.split(jax.random.fold_in(jax.random.key(0), _KEY), num_passes)
    total = compiled(variables, keys[0])
    for key in keys[1:]:
        total = jax.tree.map(lambda a, b: a + b, total, compiled(variables, key))
    return jax.tree.map(lambda leaf: leaf / num_passes, total)
