"""Data sets that stay in files."""

import shutil

import pytest

from gan_jax.data import sources


@pytest.fixture
def load_stored(stored_set):
    """(stream, ...) -> the Dataset of those pictures."""
    from experiments.benchmarks.stream_set import NAME

    return lambda stream, **kwargs: sources.load(NAME, data_dir=str(stored_set), stream=stream, **kwargs)


@pytest.fixture
def stored_copy(stored_set, tmp_path):
    """A data_dir with the same files, to be damaged, and the second one of the training split."""
    shutil.copytree(stored_set / "tfds", tmp_path / "tfds")
    return tmp_path, sorted((tmp_path / "tfds").rglob("*train.array_record*"))[1]
