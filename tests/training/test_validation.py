"""Scores on held-out training images: rows of metrics, the best state, resuming, and early stopping."""

import json

import numpy as np
import pytest

from gan_jax.data.classes import numbered
from gan_jax.data.dataset import Dataset, Source, Split, hold_out
from gan_jax.evaluation import features
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.metrics.prdc import precision_recall_density_coverage
from gan_jax.runs import score
from gan_jax.runs.best import METRIC
from gan_jax.runs.load import load_run
from gan_jax.runs.records import read_metrics
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import recorder, session, validation
from tests.tiny import rows, write_idx

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")


def dataset(size=30):
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (size, 9, 9, 1)).astype(np.uint8), (np.arange(size) % 3).astype(np.int32))
    return Dataset("a", Source("b"), "a", split, split, numbered(3))


def test_held_out_images_are_balanced_and_not_in_the_training_split():
    full = dataset()
    divided = hold_out(full, 7)
    assert sorted(np.bincount(divided.validation.labels)) == [2, 2, 3]
    rows = lambda split: {image.tobytes() for image in split.images}  # noqa: E731
    assert not rows(divided.train) & rows(divided.validation)
    assert rows(divided.train) | rows(divided.validation) == rows(full.train)
    assert divided.fingerprint() == hold_out(full, 7).fingerprint() != full.fingerprint()
    assert hold_out(full, 0) is full
    with pytest.raises(UserError, match="num_validation=30: between 2 and 27"):
        hold_out(full, 30)


@pytest.fixture
def scored_config(config, tmp_path):
    """A config with 60 training images, of which 15 are held out, and a score every second step."""
    data_folder = tmp_path / "more"
    write_idx(data_folder, train=60, test=6)
    changes = {"data.dir": str(data_folder), "data.num_validation": 15, "eval.every_steps": 2, "eval.num_images": 12}
    configs.override(config, changes)
    return config


def fake_scores(monkeypatch, *values):
    scores = iter(values)
    monkeypatch.setattr(validation, "frechet_distance", lambda a, b: next(scores))


def validation_scores(path):
    return {row["step"]: row[METRIC] for row in read_metrics(path / "metrics.jsonl") if METRIC in row}


@pytest.mark.thorough
def test_a_run_stops_when_validation_stops_improving(scored_config, tmp_path, monkeypatch, quick_classifier, capsys):
    """Scores 3, 1, 2, 4: the second is the best. After two more without a better one, the run ends at step 8."""
    configs.override(scored_config, {"eval.patience": 2, "num_steps": 400})
    fake_scores(monkeypatch, 3.0, 1.0, 2.0, 4.0, 0.0)
    path = tmp_path / "run"
    session.train(scored_config, str(path), str(tmp_path / "cache"))
    assert validation_scores(path) == {2: 3.0, 4: 1.0, 6: 2.0, 8: 4.0}
    run = json.loads((path / "run.json").read_text())
    assert (run["status"], run["step"], run["data"]["num_validation"]) == ("completed", 8, 15)
    assert run["validation_seconds"] > 0
    printed = capsys.readouterr().out
    assert "stopped early at step 8: validation was best at step 4" in printed
    assert "best at step 4 (1.00); 4 scores," in printed
    session.train(scored_config, str(path), str(tmp_path / "cache"))
    assert json.loads((path / "run.json").read_text())["step"] == 8, "a stopped run is finished"


@pytest.mark.thorough
def test_the_best_state_is_saved_and_scored_as_well_as_the_last(scored_config, tmp_path, monkeypatch, quick_classifier):
    """Scores 3, 1, 2 and, at the last step, 4: the states of steps 2 and 4 were saved as the best so far."""
    path, cache = tmp_path / "run", str(tmp_path / "cache")
    with monkeypatch.context() as patch:
        fake_scores(patch, 3.0, 1.0, 2.0, 4.0)
        session.train(scored_config, str(path), cache)
    assert validation_scores(path) == {2: 3.0, 4: 1.0, 6: 2.0, 7: 4.0}
    assert sorted(entry.name for entry in (path / "best").iterdir()) == ["2", "4"]
    best, newest = load_run(str(path), "best"), load_run(str(path))
    assert (best.step, int(best.state.step), newest.step) == (4, 4, 7)
    text = score.final_table(str(path), 12, cache)
    assert "step 7," in text
    assert "best state: step 4, chosen by its validation score" in text
    names = ("evaluation-12_images.json", "evaluation-12_images-best.json")
    last, best = (json.loads((path / name).read_text()) for name in names)
    assert (last["step"], best["step"]) == (7, 4)
    assert last["frechet_distance"] != best["frechet_distance"]


@pytest.mark.thorough
def test_rows_of_a_score(scored_config, tmp_path, quick_classifier):
    """The row has every score, equal to that of the score functions for the same images."""
    path, cache = tmp_path / "run", str(tmp_path / "cache")
    session.train(scored_config, str(path), cache)
    row = next(row for row in read_metrics(path / "metrics.jsonl") if METRIC in row and row["step"] == 7)
    trained, dataset = load_run(str(path)), session.load_data(scored_config.data, "")
    classify, _ = features.classifier(dataset, cache)
    labels = np.arange(12) % 3
    generated, probabilities = classify(trained.generate(labels.astype(np.int32)))
    real, _ = classify(dataset.validation.images)
    assert row[METRIC] == pytest.approx(frechet_distance(generated, real), rel=1e-6)
    prdc = precision_recall_density_coverage(real, generated)
    assert (row["validation_precision_k3"], row["validation_recall_k3"]) == (prdc.precision, prdc.recall)
    assert row["validation_conditional_accuracy"] == np.mean(probabilities.argmax(axis=1) == labels)


@pytest.mark.faults
def test_a_run_that_is_killed_after_a_score_resumes_to_the_same_result(
    scored_config, tmp_path, monkeypatch, quick_classifier
):
    uninterrupted, resumed, cache = tmp_path / "uninterrupted", tmp_path / "resumed", str(tmp_path / "cache")
    session.train(scored_config, str(uninterrupted), cache)
    save = recorder.Recorder.save

    def stop_at_4(self, state):
        if self.status.step == 4:
            raise KeyboardInterrupt  # after the best state is saved, before the checkpoint
        save(self, state)

    monkeypatch.setattr(recorder.Recorder, "save", stop_at_4)
    with pytest.raises(KeyboardInterrupt):
        session.train(scored_config, str(resumed), cache)
    monkeypatch.setattr(recorder.Recorder, "save", save)
    session.train(scored_config, str(resumed), cache)
    assert rows(resumed) == rows(uninterrupted)
    assert load_run(str(resumed), "best").step == load_run(str(uninterrupted), "best").step


@pytest.mark.thorough
def test_a_resumed_run_continues_with_its_earlier_scores(scored_config, tmp_path, quick_classifier):
    earlier_rows = [{"step": 2, METRIC: 0.0}, {"step": 4, METRIC: 5.0}, {"step": 5, "d_loss": 0.1}]
    configs.override(scored_config, {"eval.patience": 2})
    divided, cache = hold_out(dataset(), 12), str(tmp_path / "cache")
    sample = lambda state, key, labels: np.zeros((len(labels), 9, 9, 1), np.float32)  # noqa: E731
    stopping = validation.Validation(scored_config.eval, divided, sample, False, None, earlier_rows, None, cache)
    assert not stopping.exhausted
    row = stopping.score(6, None)
    assert row[METRIC] > 0.0
    assert "validation_conditional_accuracy" not in row
    assert stopping.exhausted
    assert stopping.best_step == 2


def test_scores_of_an_earlier_version_are_not_compared(scored_config, tmp_path, quick_classifier, caplog):
    earlier_rows = [{"step": 2, METRIC: 0.0, "validation_precision": 0.5}, {"step": 4, METRIC: 1e9}]
    divided, cache = hold_out(dataset(), 12), str(tmp_path / "cache")
    sample = lambda state, key, labels: np.zeros((len(labels), 9, 9, 1), np.float32)  # noqa: E731
    checkpoints = Saved()
    resumed = validation.Validation(scored_config.eval, divided, sample, False, None, earlier_rows, checkpoints, cache)
    assert resumed.best_step == 4
    resumed.score(6, None)
    assert resumed.best_step == checkpoints.step == 6
    assert "up to step 2 are of an earlier version" in caplog.text


class Saved:
    """Checkpoints that remember the step of the last one."""

    def save(self, step, state):
        self.step = step


def test_a_weak_classifier_gets_one_warning_for_all_seeds(scored_config, tmp_path, quick_classifier, caplog):
    validation._warn_once.cache_clear()
    divided, cache = hold_out(dataset(), 12), str(tmp_path / "cache")  # The images are noise.
    sample = lambda state, key, labels: np.zeros((len(labels), 9, 9, 1), np.float32)  # noqa: E731
    for _ in range(2):
        rows = [{"step": 1, METRIC: 0.0}]
        seed = validation.Validation(scored_config.eval, divided, sample, False, None, rows, None, cache)
        seed.score(6, None)
    (record,) = caplog.records
    assert "the classifier recognises" in record.getMessage()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.num_validation": 0}, "set --config.data.num_validation"),
        ({"eval.patience": -1}, "patience=-1: must be at least 0"),
        ({"eval.num_images": 1}, "num_images=1: must be at least 10"),
        ({"eval.classifier_flips": "yes"}, "choose one of: always, auto, never"),
    ],
)
def test_refusals(scored_config, tmp_path, changes, message):
    configs.override(scored_config, changes)
    with pytest.raises(UserError, match=message):
        session.train(scored_config, str(tmp_path / "run"), str(tmp_path / "cache"))


def test_a_run_without_scores_has_no_best_state(finished_run):
    path, _ = finished_run
    with pytest.raises(UserError, match="has no best state"):
        load_run(str(path), "best")
