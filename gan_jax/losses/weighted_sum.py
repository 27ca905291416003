"""The loss of a player: a weighted sum of terms, some of which can start later."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.gan.types import LossInputs
from gan_jax.gan.values import Value, at
from gan_jax.losses.term import Knob, Term


class RampUp(NamedTuple):
    """The ramp-up of a term: it starts at step `start` and has its full weight `num_steps` later."""

    start: int = 0
    num_steps: int = 0

    def factor(self, step: jax.Array) -> jax.Array | float:
        """The factor of the weight: exp(-5 (1 - t / T)^2) at step t of T from `start` on, then 1 (arXiv 1610.02242).

        Before `start`, the term itself is 0.
        """
        if not self.num_steps:
            return 1.0
        return jnp.exp(-5 * (1 - jnp.minimum((step - self.start) / self.num_steps, 1.0)) ** 2)

    def value(self, term: Callable[[LossInputs], jax.Array], inputs: LossInputs) -> jax.Array:
        """The value of the term. Before `start` it is 0, and the term is not computed."""
        if not self.start:
            return term(inputs)
        return jax.lax.cond(inputs.progress.step < self.start, lambda: jnp.zeros(()), lambda: term(inputs))


def every_kth(term: Callable[[LossInputs], jax.Array], k: int) -> Callable[[LossInputs], jax.Array]:
    """k * term at steps 0, k, 2k, ..., and 0 at the others, where the term is not computed.

    Lazy regularisation (StyleGAN2, arXiv 1912.04958, section 3.1). Its mean over the steps is that of the term. All
    updates of D in a step are alike. The published code updates the parameters twice in such a step, once by the
    penalty alone; here the penalty is part of the loss.
    """
    if k == 1:
        return term

    def value(inputs: LossInputs) -> jax.Array:
        is_due = inputs.progress.step % k == 0
        return jax.lax.cond(is_due, lambda: k * term(inputs), lambda: jnp.zeros(()))

    return value


AT_ONCE = RampUp()
KNOBS = {name: Knob(0, "0 or more", lambda steps: steps >= 0) for name in RampUp._fields}
PENALTY_EVERY = Knob(1, "at least 1", lambda steps: steps >= 1)


def weighted_sum(
    prefix: str, parts: dict[str, tuple[Value, Term]], ramp_up: RampUp = AT_ONCE, penalty_every: int = 1
) -> Callable:
    """LossInputs -> (sum of weight * term, {"<prefix>_loss": the sum, "<prefix>_<name>": each term, unweighted}).

    parts: name -> (weight, term); the function of a term has no argument except the inputs. A term of weight 0 is not
        computed. A single term is reported only as "<prefix>_loss".
    ramp_up: for the terms with `ramps`.
    penalty_every: for the terms with `per_example`, the penalties of D's gradient (every_kth).
    """
    active = {name: part for name, part in parts.items() if part[0] != 0}

    def loss(inputs: LossInputs) -> tuple[jax.Array, dict[str, jax.Array]]:
        values, total = {}, jnp.zeros(())
        for name, (weight, term) in active.items():
            ramp = ramp_up if term.ramps else AT_ONCE
            value = every_kth(term.value, penalty_every if term.per_example else 1)
            values[name] = ramp.value(value, inputs)
            total += at(weight, inputs.progress) * ramp.factor(inputs.progress.step) * values[name]
        per_term = {f"{prefix}_{name}": value for name, value in values.items()} if len(values) > 1 else {}
        return total, {f"{prefix}_loss": total, **per_term}

    return loss
