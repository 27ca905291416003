"""Workdirs as people name and use them."""

import errno
import fcntl
import json
import pathlib

import pytest

from gan_jax.runs import workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import Collapsed, UserError
from gan_jax.training import session
from tests.tiny import rows

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


# soumith/ganhacks 40: the advice of an error message has to work in the same place.
@pytest.mark.thorough
def test_the_advice_of_the_guard_works_in_the_same_workdir(config, tmp_path):
    configs.override(config, {"guard.steps": 2, "guard.pixel_std": 10.0, "checkpoint_every_steps": 2})
    with pytest.raises(Collapsed, match="--config.guard.pixel_std=0 to go on"):
        session.train(config, str(tmp_path / "run"))
    configs.override(config, {"guard.pixel_std": 0.0})
    session.train(config, str(tmp_path / "run"))
    assert [row["step"] for row in rows(tmp_path / "run")] == list(range(1, 8))


@pytest.mark.parametrize(
    "changes",
    [
        {"log_every_steps": 2},
        {"sample_every_steps": 5},
        {"checkpoint_every_steps": 5},
        {"keep_checkpoints": 5},
        {"eval.at_end_num_images": 50},
        {"eval.patience": 3},
        {"guard.steps": 7},
    ],
)
def test_what_is_recorded_of_a_run_may_change(finished_run, changes):
    path, config = finished_run
    configs.override(config, changes)
    session.train(config, str(path))
    assert configs.differences(workdir.Workdir(str(path)).config(), config) == []


# HistoQC 197: a shell leaves the ~ of --workdir=~/run as it is.
def test_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert workdir.Workdir("~/run").path == tmp_path / "run"
    with pytest.raises(UserError, match="--workdir=~nobody-of-this-name/run"):
        workdir.Workdir("~nobody-of-this-name/run")


# wandb 652: an address is no folder.
@pytest.mark.parametrize("path", ["gs://bucket/run", "s3://bucket", "https://host/run"])
def test_an_address_is_refused(config, path):
    with pytest.raises(UserError, match=f"--workdir={path} is an address; give a folder"):
        session.train(config, path)
    assert not pathlib.Path(path.partition("/")[0]).exists()


# lightning-hydra-template 511: three runs that start in the same second have three folders.
def test_runs_of_the_same_second_have_their_own_folders(monkeypatch):
    paths = set()
    for process in (1, 2, 3):
        monkeypatch.setattr(workdir.os, "getpid", lambda process=process: process)
        paths.add(workdir.default_path("configs/cgan.py:tuned"))
    assert len(paths) == 3
    assert all(pathlib.Path(path).name.startswith("cgan-tuned-2") for path in paths)


# filelock 67: some network file systems have no locks.
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks_gets_a_warning(config, tmp_path, monkeypatch, caplog, number):
    def no_locks(file, operation):
        raise OSError(number, "not here")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    folder = workdir.Workdir(str(tmp_path / "run"))
    folder.start(config)
    with folder.locked():
        assert "cannot be locked" in caplog.text


# pytorch-fid 78: NaN is no JSON.
def test_what_is_not_finite_is_null_in_the_records(tmp_path):
    from gan_jax.runs.records import Records, read_metrics

    records = Records(tmp_path, tmp_path / "metrics.jsonl", 0)
    records.scalars(1, {"d_loss": float("nan"), "g_loss": float("inf"), "d_real": 0.5})
    records.close()
    assert read_metrics(tmp_path / "metrics.jsonl") == [{"step": 1, "d_loss": None, "g_loss": None, "d_real": 0.5}]
    json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=pytest.fail)
