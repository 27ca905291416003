"""No path leaves the workdir, and no content of a file is executed."""

import pathlib
import re

import pytest

from gan_jax.data import sources
from gan_jax.system.errors import UserError
from gan_jax.training import session


def test_hostile_names_stay_inside(tmp_path, config):
    for name in ("../../etc", "a/../../b"):
        with pytest.raises(UserError, match=r"\.\."):
            session.train(config, f"{tmp_path}/{name}")
    for name in ("../mnist", "/etc/passwd", "a/b/c", "mnist;rm"):
        with pytest.raises(UserError, match="not a data set's name"):
            sources.load(name, data_dir=str(tmp_path))


def test_nothing_unpickles_or_evaluates_text():
    """No pickle, no eval, no YAML, and np.load without objects, in any file of this project.

    Except for PyTorch's files of published weights, which are pickles: their reader accepts a few names only
    (tests/evaluation/test_inception_weights.py).
    """
    for path in (*pathlib.Path("gan_jax").rglob("*.py"), *pathlib.Path("experiments").rglob("*.py")):
        source = path.read_text() if path.name != "torch_file.py" else ""
        for word in (
            "import pickle",
            "pickle.load",
            "allow_pickle=True",
            "yaml.",
            " eval(",
            "exec(",
            "os.system",
            "shell=True",
        ):
            assert word not in source, f"{path} has {word}"
        for call in re.findall(r"np\.load\(.*", source):
            assert "allow_pickle=False" in call, f"{path}: {call}"
