"""The layer after the linear map of a hidden layer: norm, activation, dropout, noise."""

from collections.abc import Callable

import flax.linen as nn
import jax

NORM_ORDERS = ("norm_activation", "activation_norm")

# name -> (number of hidden layers) -> indices of the layers that have a norm
NORM_POSITIONS = {
    "all": range,
    "first": lambda num_layers: [0],
    "inner": lambda num_layers: range(1, num_layers),
    "last": lambda num_layers: [num_layers - 1],
}


class PostLayer(nn.Module):
    """norm -> activation -> dropout, or activation -> dropout -> norm; then noise.

    condition: what norms with a gain and an offset for each example depend on: labels, or a vector (modulation.py).

    Returns (the output of the layer, the same output with noise: the input of the next layer).
    """

    norm: Callable[[], nn.Module]
    norm_order: str
    activation: Callable[[], Callable[[jax.Array], jax.Array]]
    dropout: Callable[[], nn.Module]
    noise: Callable[[], nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None, train: bool) -> tuple[jax.Array, jax.Array]:
        norm = self.norm()
        if self.norm_order == "norm_activation":
            x = norm(x, condition, train)
        x = self.dropout()(self.activation()(x), train)
        if self.norm_order == "activation_norm":
            x = norm(x, condition, train)
        return x, self.noise()(x, train)
