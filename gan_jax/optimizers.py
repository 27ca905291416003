"""One optax optimizer per player: a gradient rule and a learning-rate schedule."""

from collections.abc import Callable

import optax

# How the learning rate moves from its full value at step 0 to `final_fraction` of it at the last step.
SCHEDULES = {
    "constant": lambda rate, num_steps, final_fraction: optax.constant_schedule(rate),
    "linear": lambda rate, num_steps, final_fraction: optax.linear_schedule(rate, rate * final_fraction, num_steps),
    "cosine": lambda rate, num_steps, final_fraction: optax.cosine_decay_schedule(rate, num_steps, final_fraction),
}

# Gradient rules before the learning rate. `eps` is added outside the square root, as in the papers and in PyTorch.
RULES = {
    "adam": lambda b1, b2, eps: optax.scale_by_adam(b1=b1, b2=b2, eps=eps),
    "sgd": lambda b1, b2, eps: optax.identity(),
    "momentum": lambda b1, b2, eps: optax.trace(decay=b1),
}


def make_schedule(
    schedule: Callable, learning_rate: float, final_fraction: float, num_updates: int
) -> Callable[[int], float]:
    """The learning rate as a function of the number of updates made."""
    return schedule(learning_rate, num_updates, final_fraction)


def make_optimizer(rule: Callable, b1: float, b2: float, eps: float, rate: Callable) -> optax.GradientTransformation:
    """params <- params - rate(update) * rule(gradients)."""
    return optax.chain(rule(b1, b2, eps), optax.scale_by_learning_rate(rate))
