"""The fixed reference batch of virtual batch normalization."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class WithReference(nn.Module):
    """`network` on a reference batch and the current one together; only the current one's output is returned.

    The reference is the batch that the network was initialised with: it lives in the collection `reference` and never
    changes (arXiv 1606.03498, section 3.5). Rows of the reference come first.
    """

    network: nn.Module

    @nn.compact
    def __call__(self, x: jax.Array, labels: jax.Array, train: bool):
        inputs = self.variable("reference", "inputs", lambda: x).value
        classes = self.variable("reference", "labels", lambda: labels).value
        output = self.network(jnp.concatenate([inputs, x]), jnp.concatenate([classes, labels]), train)
        return jax.tree.map(lambda leaf: leaf[len(inputs) :], output)
