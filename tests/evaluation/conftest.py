"""Weights of the Inception network, without a download."""

import numpy as np
import pytest
from flax import traverse_util

from gan_jax.evaluation import inception, published_weights


@pytest.fixture(scope="session")
def tensors():
    """Inception weights at random, under PyTorch names (RandomState is frozen: the same numbers everywhere)."""
    rng, tensors = np.random.RandomState(0), {}
    for path, leaf in sorted(traverse_util.flatten_dict(inception.template()).items()):
        values = rng.uniform(-1, 1, leaf.shape).astype(np.float32)
        if path[-1] == "kernel":
            values *= np.sqrt(6 / np.prod(leaf.shape[:-1]), dtype=np.float32)
            values = np.ascontiguousarray(values.transpose((3, 2, 0, 1) if values.ndim == 4 else (1, 0)))
        elif path[-1] in ("scale", "var"):
            values = 1 + values / 2
        tensors[published_weights.torch_name(path)] = values
    return tensors
