"""The layer after a hidden layer's linear map: norm, activation, dropout, noise; and which layers have a norm."""

from collections.abc import Callable

import flax.linen as nn
import jax

NORM_ORDERS = ("norm_activation", "activation_norm")

# Which of a network's hidden layers are normalized, by name.
NORM_POSITIONS = {
    "all": range,
    "first": lambda num_layers: [0],
    "inner": lambda num_layers: range(1, num_layers),
    "last": lambda num_layers: [num_layers - 1],
}


class PostLayer(nn.Module):
    """norm -> activation -> dropout, or activation -> dropout -> norm; then noise.

    Returns (the layer's output, what the next layer sees of it: the same with noise).
    """

    norm: Callable[[], nn.Module]
    norm_order: str
    activation: Callable[[], Callable[[jax.Array], jax.Array]]
    dropout: Callable[[], nn.Module]
    noise: Callable[[], nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> tuple[jax.Array, jax.Array]:
        norm = self.norm()
        if self.norm_order == "norm_activation":
            x = norm(x, labels, train)
        x = self.dropout()(self.activation()(x), train)
        if self.norm_order == "activation_norm":
            x = norm(x, labels, train)
        return x, self.noise()(x, train)
