"""Activations by name. Each is a factory: it returns a function or module of one array whose last axis is channels."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.system.config import choose


class PReLU(nn.Module):
    """max(x, 0) + a min(x, 0) with a learned a (arXiv 1502.01852), one per channel or one for the layer (`shared`).

    a starts at `slope`. In PyTorch, it starts at 0.25.
    """

    slope: float = 0.25
    shared: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (1,) if self.shared else (x.shape[-1],)
        a = self.param("slope", nn.initializers.constant(self.slope), shape).reshape(*(1,) * (x.ndim - 1), -1)
        return jnp.where(x >= 0, x, a * x)


def is_elementwise(function: Any) -> bool:
    """Whether the function keeps the shape of arrays and of single numbers, which means that it mixes no entries."""
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((), (2, 3))]
    try:
        return all(jax.eval_shape(function, x).shape == x.shape for x in shapes)
    except (AttributeError, IndexError, TypeError, ValueError):  # It is no function, or it has other arguments.
        return False


def make_activation(name: str, slope: float, knob: str) -> Callable[[], Callable[[jax.Array], jax.Array]]:
    """The factory of an activation: one of WITH_SLOPE, or any elementwise function of jax.nn.

    name: UserError with the most similar names if there is no such activation.
    slope: for negative inputs.
    knob: the config key of `name`, for error messages.
    """
    if name in WITH_SLOPE:
        return WITH_SLOPE[name](slope)
    function = vars(jax.nn).get(name)
    if not is_elementwise(function):
        elementwise = [known for known, value in vars(jax.nn).items() if known[0] != "_" and is_elementwise(value)]
        choose(sorted({*WITH_SLOPE, *elementwise}), name, knob)
    return lambda: function


# name -> (slope) -> factory
WITH_SLOPE = {
    "leaky_relu": lambda slope: lambda: functools.partial(nn.leaky_relu, negative_slope=slope),
    "prelu": lambda slope: functools.partial(PReLU, slope),
    "prelu_shared": lambda slope: functools.partial(PReLU, slope, shared=True),
}
