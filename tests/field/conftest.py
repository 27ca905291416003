"""Fixtures of the tests of what people do with their data."""

import pytest

from gan_jax.data import mnist_5k, tfds_source
from tests.field.folders import noise


@pytest.fixture
def offline(monkeypatch):
    """A machine without a network and without TFDS sets; 5,000 digits are a few images."""
    monkeypatch.setattr(tfds_source, "can_download", lambda name: False)
    monkeypatch.setattr(tfds_source, "prepared_folder", lambda name, data_dir: None)
    monkeypatch.setattr(mnist_5k, "load", lambda: (noise(30, seed=1), noise(9, seed=2)))
