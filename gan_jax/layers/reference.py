"""The fixed reference batch of virtual batch normalization."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class WithReference(nn.Module):
    """Applies `network` to a reference batch and the current batch together; returns the output of the current batch.

    The reference batch is the batch with which the network was initialized. It is in the collection `reference` and
    never changes (arXiv 1606.03498, section 3.5). Its rows are the first rows of the input of `network`.
    """

    network: nn.Module

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool):
        inputs = self.variable("reference", "inputs", lambda: x).value
        classes = self.variable("reference", "labels", lambda: labels).value
        output = self.network(jnp.concatenate([inputs, x]), jnp.concatenate([classes, labels]), train)
        return jax.tree.map(lambda leaf: leaf[len(inputs) :], output)
