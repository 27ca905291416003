"""One player: its initial state, its optimizer step, the averages of its parameters, and its inference variables."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from gan_jax.gan.types import Player, Progress
from gan_jax.gan.values import Value, at


def init_player(
    module: nn.Module, key: jax.Array, inputs: tuple, optimizer, ema_decay: Value, keeps_param_mean: bool
) -> Player:
    params_key, dropout_key = jax.random.split(key)
    stats = module.init({"params": params_key, "dropout": dropout_key}, *inputs, train=True)
    params = stats.pop("params")
    # Copies: the state is donated, and a buffer can be donated only once.
    ema = jax.tree.map(jnp.copy, {"params": params, "stats": stats}) if ema_decay else {}
    mean = {"mean": jax.tree.map(jnp.copy, params), "count": jnp.ones((), jnp.int32)} if keeps_param_mean else {}
    return Player(params, stats, optimizer.init(params), ema, mean)


def update_player(player: Player, gradients, stats, optimizer, ema_decay: Value, progress: Progress) -> Player:
    """One optimizer step, then the update of the averages."""
    updates, opt_state = optimizer.update(gradients, player.opt_state, player.params)
    params = optax.apply_updates(player.params, updates)
    current = {"params": params, "stats": stats}
    ema = _update_ema(player.ema, current, at(ema_decay, progress), progress.step) if ema_decay else {}
    return Player(params, stats, opt_state, ema, _update_mean(player.param_mean, params), player.tracked)


def _update_ema(ema: Any, current: Any, decay: float | jax.Array, step: jax.Array) -> Any:
    """a <- d a + (1 - d) current, with d = min(decay, (1 + step) / (10 + step)).

    The smaller d of the first steps forgets the untrained start sooner. Statistics that are integers are copied.
    """
    decay = jnp.minimum(decay, (1 + step) / (10 + step))

    def mix(a, b):
        return decay * a + (1 - decay) * b if jnp.issubdtype(b.dtype, jnp.floating) else b

    return jax.tree.map(mix, ema, current)


def _update_mean(param_mean: Any, params: Any) -> Any:
    """The mean of all parameters so far, including `params`."""
    if not param_mean:
        return param_mean
    count = param_mean["count"] + 1
    return {"mean": jax.tree.map(lambda m, p: m + (p - m) / count, param_mean["mean"], params), "count": count}


def inference_variables(player: Player) -> dict:
    """The variables of a network for inference: those of the EMA, if there is one."""
    current = player.ema or {"params": player.params, "stats": player.stats}
    return {"params": current["params"], **current["stats"]}
