"""A short run for the tests of faults."""

import pytest


@pytest.fixture
def short_run(copy_of_run, tmp_path):
    """The folder of a finished run of 4 steps with checkpoints at 2 and 4, and its config."""
    changes = {"num_steps": 4, "checkpoint_every_steps": 2, "sample_every_steps": 0}
    return tmp_path / "short", copy_of_run(tmp_path / "short", **changes)
