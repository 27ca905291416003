"""Runs on a tiny data set: metrics, images, resuming and errors."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from unittest import mock

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax.runs import checkpoint, load, score, workdir
from gan_jax.runs.provenance import provenance
from gan_jax.runs.records import Records, read_metrics
from gan_jax.system import config as configs
from gan_jax.system import files
from gan_jax.system.errors import DataUnavailable, Interrupted, InUse, TrainingFailed, UserError
from gan_jax.training import programs, recorder, session
from tests.tiny import IDX_NAMES, arrays, rows

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_files_of_a_run(config, tmp_path):
    path = tmp_path / "run"
    grid = session.train(config, str(path))
    assert [row["step"] for row in rows(path)] == list(range(1, 8))
    assert {"d_loss", "g_loss", "d_real", "d_fake", "d_grad_norm", "g_learning_rate"} <= set(rows(path)[0])
    assert grid == path / "samples" / "step-000007.png"
    width, height = Image.open(grid).size
    assert width == 108
    assert 0 < height - 108 < 20, "one line of names above the images"
    assert sorted(p.name for p in (path / "samples").iterdir()) == ["step-000004.png", "step-000007.png"]
    assert Image.open(path / "losses.png").size[0] > 500
    assert list(path.glob("events.out.tfevents.*"))
    info = json.loads((path / "run.json").read_text())
    assert info["status"] == "completed"
    assert info["data"]["used"] == "idx"
    assert len(info["data"]["fingerprint"]) == 64
    assert configs.differences(workdir.Workdir(str(path)).config(), config) == []
    assert sorted(int(p.name) for p in (path / "checkpoints").iterdir()) == [6, 7]


@pytest.mark.thorough
@pytest.mark.parametrize("stop_after", [1, 4])
def test_resume_equals_the_uninterrupted_run(finished_run, tmp_path, monkeypatch, stop_after):
    """Also if the run was killed between two calls, with rows of metrics after its last checkpoint."""
    (uninterrupted, config), resumed = finished_run, tmp_path / "resumed"
    advance = programs.SequentialSeeds.advance

    def stop_early(self, call, live):
        if call.first_step >= stop_after:
            raise KeyboardInterrupt
        return advance(self, call, live)

    monkeypatch.setattr(programs.SequentialSeeds, "advance", stop_early)
    with pytest.raises(KeyboardInterrupt):
        session.train(config, str(resumed))
    monkeypatch.setattr(programs.SequentialSeeds, "advance", advance)
    with (resumed / "metrics.jsonl").open("a") as file:
        file.write('{"step": 99, "d_lo')
    session.train(config, str(resumed))
    assert rows(uninterrupted) == rows(resumed)
    (step, actual), (resumed_step, expected) = arrays(uninterrupted), arrays(resumed)
    assert step == resumed_step == 7
    assert all(np.array_equal(a, b) for a, b in zip(actual, expected, strict=True))


@pytest.mark.thorough
def test_the_seconds_of_a_killed_process_are_kept_with_its_checkpoints(config, tmp_path, monkeypatch):
    path, close = str(tmp_path / "run"), recorder.Recorder.close
    monkeypatch.setattr(recorder.Recorder, "close", lambda self, seconds: None)  # A killed process closes nothing.
    with pytest.raises(TrainingFailed):  # No seed has the status "completed".
        session.train(config, path)
    killed = workdir.Workdir(path).run()
    assert (killed["status"], "step" in killed) == ("running", False)
    assert killed["seconds"] > 0
    monkeypatch.setattr(recorder.Recorder, "close", close)
    session.train(config, path)
    assert workdir.Workdir(path).run()["seconds"] >= killed["seconds"]


@pytest.mark.thorough
def test_steps_per_call_changes_nothing(finished_run, tmp_path):
    path, config = finished_run
    configs.override(config, {"steps_per_call": 5})
    session.train(config, str(tmp_path / "five"))
    assert rows(path) == rows(tmp_path / "five")


def test_a_finished_run_is_not_changed(finished_run):
    path, config = finished_run
    before = rows(path)
    session.train(config, str(path))
    assert rows(path) == before


@pytest.mark.thorough
def test_a_signal_saves_and_the_message_says_how_to_continue(config, tmp_path):
    path = tmp_path / "run"
    configs.override(config, {"num_steps": 100_000, "checkpoint_every_steps": 0, "sample_every_steps": 0})
    threading.Timer(8, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(Interrupted, match="SIGTERM: saved at step") as error:
        session.train(config, str(path))
    assert error.value.exit_code == 75
    info = json.loads((path / "run.json").read_text())
    assert info["status"] == "interrupted"
    assert load.load_run(str(path)).step == info["step"] > 0
    assert len(rows(path)) == info["step"]


@pytest.mark.thorough
def test_divergence_is_reported_and_keeps_the_last_good_checkpoint(config, tmp_path):
    path = tmp_path / "run"
    changes = {"num_steps": 300, "g_optimizer.name": "sgd", "g_optimizer.learning_rate": 1e30}
    configs.override(config, changes | {"d_optimizer.name": "sgd", "d_optimizer.learning_rate": 1e30})
    configs.override(config, {"objective": "lsgan"})
    with pytest.raises(TrainingFailed, match="not finite at step") as error:
        session.train(config, str(path))
    assert error.value.exit_code == 3
    assert json.loads((path / "run.json").read_text())["status"] == "diverged"


@pytest.mark.thorough
def test_another_config_is_refused_with_the_differences(config, tmp_path):
    path = str(tmp_path / "run")
    session.train(config, path)
    configs.override(config, {"batch_size": 5, "objective": "lsgan"})
    with pytest.raises(UserError, match="batch_size: 4 -> 5; objective: bce -> lsgan"):
        session.train(config, path)


def test_a_run_with_a_key_that_this_version_lacks_is_not_scored(finished_run, tmp_path):
    path, _ = finished_run
    tree = files.read_sealed(path / "config.json")
    files.write_sealed(path / "config.json", tree | {"class_target": "own"})
    with pytest.raises(UserError, match="another version of this code: .*'class_target'"):
        score.evaluate_seeds(str(path), score.Protocol(10), str(tmp_path))


def test_a_second_process_on_a_workdir_is_refused_and_changes_nothing(config, tmp_path):
    folder = workdir.Workdir(str(tmp_path / "run"))
    folder.start(config)
    with folder.locked():
        before = sorted(str(path) for path in folder.path.rglob("*"))
        with pytest.raises(InUse, match="another process trains there"):
            session.train(config, str(folder.path))
        assert sorted(str(path) for path in folder.path.rglob("*")) == before
    assert session.train(config, str(folder.path)).is_file()


@pytest.mark.thorough
def test_other_data_is_refused(config, idx_folder, tmp_path):
    path = str(tmp_path / "run")
    session.train(config, path)
    labels = idx_folder / IDX_NAMES["train_labels"]
    labels.write_bytes(labels.read_bytes()[:-1] + b"\0")
    for command in (
        lambda: session.train(config, path),
        lambda: score.evaluate(path, score.Protocol(10), str(tmp_path)),
    ):
        with pytest.raises(DataUnavailable, match="which has other images"):
            command()


@pytest.mark.parametrize("damage", ["cut", "flipped", "deleted"])
def test_a_checkpoint_with_any_damaged_file_is_refused(finished_run, damage):
    path, _ = finished_run
    folder = path / "checkpoints" / "7"
    for file in [file for file in folder.rglob("*") if file.is_file() and file.name != "manifest.json"]:
        data = file.read_bytes()
        if damage == "deleted":
            file.unlink()
        elif data:
            file.write_bytes(data[:-1] if damage == "cut" else bytes([data[0] ^ 1]) + data[1:])
        if damage == "deleted" or data:
            with pytest.raises(
                UserError, match="checkpoints/7 is damaged .*; delete that folder to continue from step 6"
            ):
                load.load_run(str(path))
        file.write_bytes(data)
    assert load.load_run(str(path)).step == 7
    shutil.rmtree(folder)
    assert load.load_run(str(path)).step == 6


def test_an_incomplete_checkpoint_is_ignored_and_removed_by_the_next_training(tmp_path):
    state = {"w": np.arange(3.0)}
    checkpoints = checkpoint.Checkpoints(tmp_path, 2)
    for step in (1, 2, 3):
        checkpoints.save(step, state)
    assert checkpoints.steps() == [2, 3]
    (tmp_path / "5.orbax-checkpoint-tmp-12").mkdir()
    (tmp_path / "3" / "manifest.json").unlink()
    assert checkpoints.steps() == [2]
    assert len(list(tmp_path.iterdir())) == 3, "reading removes nothing"
    checkpoints.remove_leftovers()
    assert [p.name for p in tmp_path.iterdir()] == ["2"]
    restored = checkpoints.restore(2, {"w": jax.ShapeDtypeStruct((3,), np.float32)})
    np.testing.assert_array_equal(restored["w"], state["w"])
    with pytest.raises(UserError, match="does not fit this code and config"):
        checkpoints.restore(2, {"v": jax.ShapeDtypeStruct((3,), np.float32)})


def test_rows_are_unique_after_a_resume_and_need_no_tensorflow(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "clu", None)
    path = tmp_path / "metrics.jsonl"
    records = Records(tmp_path, path, 0)
    assert "no TensorBoard records" in caplog.text
    for step in (1, 2, 3):
        records.scalars(step, {"d_loss": 0.5})
    records.close()
    resumed = Records(tmp_path, path, 2)
    resumed.scalars(3, {"d_loss": 0.25})
    resumed.close()
    assert [row["step"] for row in read_metrics(path)] == [1, 2, 3]
    assert read_metrics(path)[-1]["d_loss"] == 0.25


def test_tensorboard_reads_scalars_images_and_hparams(finished_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path, _ = finished_run
    events = EventAccumulator(str(path), size_guidance={"tensors": 0})
    events.Reload()
    tags = events.Tags()["tensors"]
    assert {"d_loss", "g_loss", "d_real", "samples"} <= set(tags)
    assert any("hparams" in tag for tag in tags)
    assert [event.step for event in events.Tensors("d_loss")] == [row["step"] for row in rows(path)]
    assert [event.step for event in events.Tensors("samples")] == [4, 7]


def test_the_commit_comes_from_the_environment_if_there_is_no_git_repository(monkeypatch):
    monkeypatch.setenv("GAN_JAX_COMMIT", "c" * 40)
    assert provenance()["commit"] == "c" * 40
    monkeypatch.delenv("GAN_JAX_COMMIT")
    monkeypatch.setattr(subprocess, "run", mock.Mock(side_effect=FileNotFoundError))
    assert provenance()["commit"] == "unknown"
