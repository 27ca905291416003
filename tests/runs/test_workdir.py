"""The workdir of a run: it continues only the same run."""

import pytest

from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system import files
from gan_jax.system.errors import UserError


def test_a_run_with_a_key_that_this_version_lacks_is_not_continued(tmp_path):
    config, workdir = configs.load("configs/cgan.py"), Workdir(str(tmp_path / "run"))
    workdir.start(config)
    workdir.start(config)  # The same run.
    path = workdir.path / "config.json"
    files.write_sealed(path, files.read_sealed(path) | {"class_target": "own"})
    with pytest.raises(UserError) as error:
        workdir.start(config)
    assert str(error.value) == (
        "this run was made by another version of this code: its config.json has a key 'class_target' that this version "
        "lacks; use that version (its run.json names the commit), or train again in another workdir"
    )
