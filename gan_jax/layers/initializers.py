"""Kernel initializers by name: (stddev) -> initializer."""

from collections.abc import Callable

import flax.linen as nn


def scaled(init: Callable, factor: float) -> Callable:
    """An initializer whose values are `factor` times those of `init`."""
    return lambda key, shape, *dtype: factor * init(key, shape, *dtype)


INITIALIZERS = {
    # N(0, stddev^2): DCGAN (arXiv 1511.06434, section 4) with stddev 0.02.
    "normal": lambda stddev: nn.initializers.normal(stddev),
    # U(-1/sqrt(fan_in), 1/sqrt(fan_in)): PyTorch's default for Linear and Conv2d.
    "torch_uniform": lambda stddev: nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
    "glorot_uniform": lambda stddev: nn.initializers.glorot_uniform(),
    "lecun_normal": lambda stddev: nn.initializers.lecun_normal(),
    "he_normal": lambda stddev: nn.initializers.he_normal(),
    "orthogonal": lambda stddev: nn.initializers.orthogonal(),
}
