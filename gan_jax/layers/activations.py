"""Activations by name: (settings) -> function of one array."""

import functools

import flax.linen as nn

ACTIVATIONS = {
    "relu": lambda slope: nn.relu,
    "leaky_relu": lambda slope: functools.partial(nn.leaky_relu, negative_slope=slope),
    "elu": lambda slope: nn.elu,
    "silu": lambda slope: nn.silu,
    "gelu": lambda slope: nn.gelu,
    "tanh": lambda slope: nn.tanh,
}
