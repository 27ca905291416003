"""What can be known from the config and the data is known before the first step."""

import os

import numpy as np
import pytest

from gan_jax.system import cache
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import session
from tests.tiny import rows, write_idx

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


# PGGAN-PyTorch 1: batches of one image.
@pytest.mark.thorough
def test_a_batch_of_one_image_trains(config, tmp_path):
    changes = {"batch_size": 1, "guard.steps": 2, "generator.norm": "none", "checkpoint_every_steps": 2}
    configs.override(config, changes)
    session.train(config, str(tmp_path / "run"))
    assert len(rows(tmp_path / "run")) == 7
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 2


@pytest.mark.parametrize("term", ["low_density", "pull_away"])
def test_a_term_that_compares_images_needs_two(config, tmp_path, term):
    configs.override(config, {"batch_size": 1, "generator.norm": "none", f"g_loss.{term}": 1.0})
    with pytest.raises(UserError, match=f"g_loss.{term} needs two images or more: set --config.batch_size=2"):
        session.train(config, str(tmp_path / "run"))


# pytorch-image-generation-metrics 5: scores of too few images.
@pytest.mark.parametrize("number", [1, 0, -5])
def test_a_number_of_images_to_score_is_refused_before_training(config, tmp_path, number):
    configs.override(config, {"eval.at_end": True, "eval.at_end_num_images": number})
    with pytest.raises(UserError, match=f"eval.at_end_num_images={number}: must be at least 2"):
        session.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(("split", "sizes"), [("test", {"train": 12, "test": 1}), ("train", {"train": 1, "test": 6})])
def test_a_split_of_one_image_cannot_be_scored(config, tmp_path, split, sizes):
    write_idx(tmp_path / "one", **sizes)
    configs.override(config, {"data.dir": str(tmp_path / "one"), "eval.at_end": True, "num_steps": 1})
    configs.override(config, {"batch_size": 1, "generator.norm": "none"})
    with pytest.raises(UserError, match=f"the {split} split has 1; set --config.eval.at_end=false"):
        session.train(config, str(tmp_path / "run"))
    configs.override(config, {"eval.at_end": False})
    session.train(config, str(tmp_path / "run"))


# detectron2 381: no home folder that can be written to.
@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_cache_folder_without_rights(tmp_path, caplog):
    tmp_path.chmod(0o500)
    cache.write(tmp_path / "cache" / "a.npz", {"a": np.zeros(3)})
    assert "a.npz is not kept" in caplog.text


def test_a_cache_folder_that_cannot_be_made_is_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    cache.write(tmp_path / "file" / "a.npz", {"a": np.zeros(3)})
    assert "a.npz is not kept for later runs" in caplog.text
    assert "XDG_CACHE_HOME" in caplog.text


def test_a_cache_at_an_address_is_refused():
    with pytest.raises(UserError, match="--data_dir=gs://bucket is an address"):
        cache.folder("gs://bucket")
