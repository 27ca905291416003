"""Every mistake is refused before the workdir exists, so the corrected command works with the same workdir."""

import pytest

from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import session

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")
GROUPS = {"generator.norm": "group", "generator.norm_groups": 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (GROUPS, "norm_groups=3 does not divide 8 channels"),
        ({"objective": "hinge", "targets.real": 0.9}, "has no targets to change"),
        ({"eval.every_steps": 2}, "10 or more held-out images"),
        ({"eval.every_steps": 2, "data.num_validation": 5, "eval.patience": -1}, "eval.patience=-1"),
        ({"guard.steps": 0}, "guard.steps=0"),
        ({"mesh": "data:3"}, "mesh='data:3'"),
        ({"data.num_labels": 2}, "data.num_labels=2"),
        ({"d_optimizer.learning_rate": -1.0}, "learning_rate=-1.0"),
        ({"num_seeds": 0}, "num_seeds=0"),
        ({"batch_size": 13}, "more than the 12 training images"),
    ],
)
def test_a_mistake_leaves_no_workdir(config, tmp_path, changes, message):
    configs.override(config, changes)
    with pytest.raises(UserError, match=message) as error:
        session.train(config, str(tmp_path / "run"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.thorough
def test_the_corrected_command_trains_in_the_same_workdir(config, tmp_path):
    configs.override(config, GROUPS)
    with pytest.raises(UserError):
        session.train(config, str(tmp_path / "run"))
    configs.override(config, {"generator.norm_groups": 4, "num_steps": 2})
    assert session.train(config, str(tmp_path / "run")).is_file()
