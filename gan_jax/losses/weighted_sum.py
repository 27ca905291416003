"""A player's loss as a weighted sum of terms, some of which may come in late."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.gan.types import LossInputs
from gan_jax.losses.term import Knob, Term


class RampUp(NamedTuple):
    """When a term comes in: at step `start`, to have its whole weight `num_steps` later."""

    start: int = 0
    num_steps: int = 0

    def share(self, step: jax.Array) -> jax.Array | float:
        """exp(-5 (1 - t / T)^2) at the t-th step of T from `start` on, 1 after them (arXiv 1610.02242).

        Before `start` the term itself is 0.
        """
        if not self.num_steps:
            return 1.0
        return jnp.exp(-5 * (1 - jnp.minimum((step - self.start) / self.num_steps, 1.0)) ** 2)

    def value(self, term: Callable[[LossInputs], jax.Array], inputs: LossInputs) -> jax.Array:
        """The term; before `start` it is 0, and not computed."""
        if not self.start:
            return term(inputs)
        return jax.lax.cond(inputs.step < self.start, lambda: jnp.zeros(()), lambda: term(inputs))


AT_ONCE = RampUp()
KNOBS = {name: Knob(0, "0 or more", lambda steps: steps >= 0) for name in RampUp._fields}


def weighted_sum(prefix: str, parts: dict[str, tuple[float, Term]], ramp_up: RampUp = AT_ONCE) -> Callable:
    """LossInputs -> (sum of weight * term, {"<prefix>_loss": the sum, "<prefix>_<name>": each term, unweighted}).

    A term of weight 0 is not computed. A sum of one part is reported as the loss alone. Terms that ramp come in as
    `ramp_up` says; the functions of the terms take the inputs alone.
    """
    active = {name: part for name, part in parts.items() if part[0] != 0}

    def loss(inputs: LossInputs) -> tuple[jax.Array, dict[str, jax.Array]]:
        values, total = {}, jnp.zeros(())
        for name, (weight, term) in active.items():
            entry = ramp_up if term.ramps else AT_ONCE
            values[name] = entry.value(term.value, inputs)
            total += weight * entry.share(inputs.step) * values[name]
        named = {f"{prefix}_{name}": value for name, value in values.items()} if len(values) > 1 else {}
        return total, {f"{prefix}_loss": total, **named}

    return loss
