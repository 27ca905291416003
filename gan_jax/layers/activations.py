"""Activations by name: factories (slope) -> something called on an array of channels last."""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax


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
        return jax.numpy.where(x >= 0, x, a * x)


def _fixed(function: Callable) -> Callable:
    """An activation without settings, as a factory of a factory."""
    return lambda slope: lambda: function


# Activations of flax.linen that keep an array's shape.
_FIXED = (
    *("celu", "elu", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "log_sigmoid", "relu", "relu6"),
    *("selu", "sigmoid", "silu", "soft_sign", "softplus", "swish", "tanh"),
)

# name -> (slope) -> factory
ACTIVATIONS = {
    **{name: _fixed(getattr(nn.activation, name)) for name in _FIXED},
    "leaky_relu": lambda slope: lambda: functools.partial(nn.leaky_relu, negative_slope=slope),
    "prelu": lambda slope: functools.partial(PReLU, slope),
    "prelu_shared": lambda slope: functools.partial(PReLU, slope, shared=True),
}
