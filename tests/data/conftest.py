"""Data sets in array_record files."""

import shutil

import pytest

from gan_jax.data import sources


@pytest.fixture
def load_stored(stored_set):
    """(stream, ...) -> the Dataset of `stored_set`."""
    from experiments.benchmarks.stream_set import NAME

    return lambda stream, **kwargs: sources.load(NAME, data_dir=str(stored_set), stream=stream, **kwargs)


@pytest.fixture
def stored_copy(stored_set, tmp_path):
    """(data_dir, file): a copy of the files, which a test may damage, and the second file of the training split."""
    shutil.copytree(stored_set / "tfds", tmp_path / "tfds")
    return tmp_path, sorted((tmp_path / "tfds").rglob("*train.array_record*"))[1]
