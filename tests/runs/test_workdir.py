"""The workdir of a run: it continues only the same run."""

import pytest

from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system import files
from gan_jax.system.errors import UserError


@pytest.mark.parametrize(
    ("missing", "more", "has"),
    [
        ("terms", {"class_target": "own"}, "no key 'terms.interpolation.target'"),
        ("extra_metrics", {}, "no key 'extra_metrics'"),
        (None, {"class_target": "own"}, "a key 'class_target' that this version lacks"),
    ],
)
def test_a_run_of_another_version_is_not_continued(missing, more, has, tmp_path):
    config, workdir = configs.load("configs/cgan.py"), Workdir(str(tmp_path / "run"))
    workdir.start(config)
    workdir.start(config)  # The same run.
    path = workdir.path / "config.json"
    recorded = files.read_sealed(path)
    recorded.pop(missing, None)
    files.write_sealed(path, recorded | more)
    with pytest.raises(UserError) as error:
        workdir.start(config)
    assert str(error.value) == (
        f"this run was made by another version of this code: its config.json has {has}; use that version (its "
        "run.json names the commit), or train again in another workdir"
    )
