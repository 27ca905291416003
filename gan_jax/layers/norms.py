"""Normalization layers with one call, `norm(x, labels, train)`, and where a network puts them.

A network is handed a factory of norms and never asks which kind it is.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax


class Identity(nn.Module):
    """No normalization."""

    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del labels, train
        return x


class BatchNorm(nn.Module):
    """Batch normalization (arXiv 1502.03167): per-channel moments over the batch and all positions.

    momentum is the DECAY of the running moments, r <- momentum * r + (1 - momentum) * batch; PyTorch's `momentum`
    is one minus this. The gain starts at N(1, scale_stddev).
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    scale_stddev: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        del labels

        def scale_init(key, shape, dtype=float):
            return 1.0 + self.scale_stddev * jax.random.normal(key, shape, dtype)

        norm = nn.BatchNorm(
            use_running_average=not train, momentum=self.momentum, epsilon=self.epsilon, scale_init=scale_init
        )
        return norm(x)


# name -> (momentum, epsilon, scale_stddev) -> factory of norms
NORMS = {
    "none": lambda momentum, epsilon, scale_stddev: Identity,
    "batch": lambda momentum, epsilon, scale_stddev: functools.partial(BatchNorm, momentum, epsilon, scale_stddev),
}

# Norms whose output for one image depends on the others of its batch.
BATCH_NORMS = ("batch",)

NORM_ORDERS = ("norm_activation", "activation_norm")


# Which of a network's hidden layers are normalized, by name.
NORM_PLACES = {
    "all": range,
    "first": lambda num_layers: [0],
    "inner": lambda num_layers: range(1, num_layers),
    "last": lambda num_layers: [num_layers - 1],
}


class Finish(nn.Module):
    """What follows a hidden layer's linear map: norm -> activation -> dropout, or activation -> dropout -> norm.

    With `channel_dropout`, dropout zeroes whole channels [B, 1, 1, C].
    """

    norm: Callable[[], nn.Module]
    norm_order: str
    activation: Callable[[jax.Array], jax.Array]
    dropout: float = 0.0
    channel_dropout: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool) -> jax.Array:
        norm = self.norm()
        if self.norm_order == "norm_activation":
            x = norm(x, labels, train)
        x = self.activation(x)
        shared = (1, 2) if self.channel_dropout and x.ndim == 4 else ()
        x = nn.Dropout(self.dropout, broadcast_dims=shared, deterministic=not train)(x)
        return x if self.norm_order == "norm_activation" else norm(x, labels, train)
