"""Random weights of a network under PyTorch's names, the same on every machine."""

import numpy as np
from flax import traverse_util

from gan_jax.evaluation import published_weights


def random_tensors(template, scale=1.0):
    """Weights such that activations keep their size (RandomState is frozen: the same numbers everywhere).

    template: shapes of the flax variables. scale: the largest bias and mean.
    """
    rng, tensors = np.random.RandomState(0), {}
    for path, leaf in sorted(traverse_util.flatten_dict(template).items()):
        values = rng.uniform(-1, 1, leaf.shape).astype(np.float32)
        if path[-1] == "kernel":
            values *= np.sqrt(6 / np.prod(leaf.shape[:-1]), dtype=np.float32)
            values = np.ascontiguousarray(values.transpose((3, 2, 0, 1) if values.ndim == 4 else (1, 0)))
        elif path[-1] in ("scale", "var"):
            values = 1 + values / 2
        else:
            values *= np.float32(scale)
        tensors[published_weights.torch_name(path)] = values
    return tensors
