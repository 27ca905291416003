"""Learning-rate schedules: a warm-up, a time at the full rate, then a decay whose shape is chosen by name."""

import math
from collections.abc import Callable

import jax.numpy as jnp

from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


def _constant(t, total, final_fraction, num_drops):
    """1."""
    return jnp.ones_like(t, jnp.float32)


def _linear(t, total, final_fraction, num_drops):
    """1 - (1 - final_fraction) t / T."""
    return 1 - (1 - final_fraction) * t / total


def _cosine(t, total, final_fraction, num_drops):
    """final_fraction + (1 - final_fraction) (1 + cos(pi t / T)) / 2 (arXiv 1608.03983, equation 5)."""
    return final_fraction + (1 - final_fraction) * (1 + jnp.cos(math.pi * t / total)) / 2


def _step(t, total, final_fraction, num_drops):
    """final_fraction^(k / n) from update k T / (n + 1) on, k = 1 ... n = num_drops."""
    # Computed as integers and rounded up, because t / T in float32 could place a drop one update too late or early.
    drops = jnp.array([-(-k * total // (num_drops + 1)) for k in range(1, num_drops + 1)])
    return final_fraction ** (jnp.sum(t[..., None] >= drops, axis=-1) / num_drops)


def _exponential(t, total, final_fraction, num_drops):
    """final_fraction^(t / T)."""
    return final_fraction ** (t / total)


def make_schedule(
    name: str,
    learning_rate: float,
    num_updates: int,
    *,
    final_fraction: float = 0.0,
    warmup_updates: int = 0,
    hold_fraction: float = 0.0,
    num_drops: int = 1,
    knob: str = "optimizer",
) -> Callable[[int], float]:
    """The learning rate of an update as a function of the number of updates before it (a traced one, too).

    The rate has three phases:
    1. It rises linearly from 0 to `learning_rate` during `warmup_updates`.
    2. It is `learning_rate` during `hold_fraction` of the remaining updates.
    3. It follows the schedule for the last T updates, from `learning_rate` to `final_fraction` of it. It stays there if
       updates follow after the last one.
    """
    shape = choose(SCHEDULES, name, f"{knob}.schedule")
    if not 0 <= learning_rate < math.inf:
        raise UserError(f"{knob}.learning_rate={learning_rate}: must be a number that is at least 0, for example 1e-4")
    if not 0 <= warmup_updates <= num_updates:
        raise UserError(
            f"{knob}.warmup_updates={warmup_updates}: must be between 0 and the {num_updates} updates of the whole run"
        )
    if not 0 <= final_fraction <= 1:
        raise UserError(f"{knob}.final_fraction={final_fraction}: must be between 0 and 1")
    if not 0 <= hold_fraction < 1:
        raise UserError(f"{knob}.hold_fraction={hold_fraction}: must be at least 0 and less than 1")
    if name in ("step", "exponential") and final_fraction == 0:
        raise UserError(f"{knob}.final_fraction=0: schedule {name} never gets to 0; set it above 0, for example 0.01")
    if name == "step" and num_drops < 1:
        raise UserError(f"{knob}.num_drops={num_drops}: schedule step needs at least 1")
    decay_start = warmup_updates + round(hold_fraction * (num_updates - warmup_updates))
    total = max(num_updates - decay_start, 1)

    def rate(update: int) -> float:
        warmup = jnp.minimum(update / warmup_updates, 1) if warmup_updates else 1
        t = jnp.clip(jnp.asarray(update) - decay_start, 0, total)
        return learning_rate * warmup * shape(t, total, final_fraction, num_drops)

    return rate


# name -> fraction of the learning rate: (updates made t, all updates T, final_fraction, num_drops) -> [0, 1]
SCHEDULES = {"constant": _constant, "linear": _linear, "cosine": _cosine, "step": _step, "exponential": _exponential}
