"""Weights of the Inception network, without a download."""

import pytest

from gan_jax.evaluation import inception
from tests.evaluation.random_weights import random_tensors


@pytest.fixture(scope="session")
def tensors():
    """Inception weights at random, under PyTorch names."""
    return random_tensors(inception.template())
