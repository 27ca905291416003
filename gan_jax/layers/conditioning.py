"""How a label enters a network: modules (x, labels int32 [B]) -> x."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class LabelEmbedding(nn.Module):
    """A learned vector for every class, [B] -> [B, features], entries N(0, 1) at the start.

    Computed as one-hot times matrix: its gradient is then a matrix product, where an indexed look-up's is a scatter.
    """

    num_classes: int
    features: int

    @nn.compact
    def __call__(self, labels: jax.Array) -> jax.Array:
        table = self.param("embedding", nn.initializers.normal(1.0), (self.num_classes, self.features))
        return jax.nn.one_hot(labels, self.num_classes) @ table


class Unconditional(nn.Module):
    """Leaves the label out."""

    num_classes: int
    features: int

    def __call__(self, x: jax.Array, labels: jax.Array) -> jax.Array:
        del labels
        return x


class Concat(nn.Module):
    """Appends the label: [B, F] gets its embedding of `features`, [B, H, W, C] one channel, a learned map per class."""

    num_classes: int
    features: int

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array) -> jax.Array:
        if x.ndim == 2:
            return jnp.concatenate([x, LabelEmbedding(self.num_classes, self.features)(labels)], axis=-1)
        height, width = x.shape[1:3]
        plane = LabelEmbedding(self.num_classes, height * width)(labels)
        return jnp.concatenate([x, plane.reshape(-1, height, width, 1)], axis=-1)


CONDITIONINGS = {"concat": Concat, "none": Unconditional}
