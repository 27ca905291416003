"""Activations by name, each a factory of something that is called on an array of channels last."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.system.config import choose


class PReLU(nn.Module):
    """max(x, 0) + a min(x, 0) with a learned a (arXiv 1502.01852), one for each channel or one for the layer.

    a starts at `slope`; PyTorch's starts at 0.25.
    """

    slope: float = 0.25
    shared: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (1,) if self.shared else (x.shape[-1],)
        a = self.param("slope", nn.initializers.constant(self.slope), shape).reshape(*(1,) * (x.ndim - 1), -1)
        return jnp.where(x >= 0, x, a * x)


def _is_elementwise(function: Any) -> bool:
    """Whether it maps an array to one of the same shape, and a single number too: then it mixes no entries."""
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((), (2, 3))]
    try:
        return all(jax.eval_shape(function, x).shape == x.shape for x in shapes)
    except (AttributeError, IndexError, TypeError, ValueError):  # No function, or one of other arguments.
        return False


def make_activation(name: str, slope: float, knob: str) -> Callable[[], Callable[[jax.Array], jax.Array]]:
    """The factory of an activation: one of WITH_SLOPE, or any elementwise function of jax.nn by its name.

    slope: for negative inputs. UserError with the nearest names if there is none. knob: what `name` is in the config.
    """
    if name in WITH_SLOPE:
        return WITH_SLOPE[name](slope)
    function = vars(jax.nn).get(name)
    if not _is_elementwise(function):
        others = [other for other, value in vars(jax.nn).items() if other[0] != "_" and _is_elementwise(value)]
        choose(sorted({*WITH_SLOPE, *others}), name, knob)
    return lambda: function


# name -> (slope) -> factory
WITH_SLOPE = {
    "leaky_relu": lambda slope: lambda: functools.partial(nn.leaky_relu, negative_slope=slope),
    "prelu": lambda slope: functools.partial(PReLU, slope),
    "prelu_shared": lambda slope: functools.partial(PReLU, slope, shared=True),
}
