"""Scores on held-out training images: their rows, the best state, resuming, and the end of the run."""

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

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def dataset(size=30):
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (size, 9, 9, 1)).astype(np.uint8), (np.arange(size) % 3).astype(np.int32))
    return Dataset("a", Source("b"), "a", split, split, numbered(3))


def test_held_out_images_are_balanced_and_leave_the_training_split():
    whole = dataset()
    part = hold_out(whole, 7)
    assert sorted(np.bincount(part.validation.labels)) == [2, 2, 3]
    rows = lambda split: {image.tobytes() for image in split.images}  # noqa: E731
    assert not rows(part.train) & rows(part.validation)
    assert rows(part.train) | rows(part.validation) == rows(whole.train)
    assert part.fingerprint() == hold_out(whole, 7).fingerprint() != whole.fingerprint()
    assert hold_out(whole, 0) is whole
    with pytest.raises(UserError, match="num_validation=30: between 2 and 27"):
        hold_out(whole, 30)


@pytest.fixture
def scored_config(config, tmp_path):
    """Runs of 60 training images, 15 of them held out, scored every second step."""
    folder = tmp_path / "more"
    write_idx(folder, train=60, test=6)
    changes = {"data.dir": str(folder), "data.num_validation": 15, "eval.every_steps": 2, "eval.num_images": 12}
    configs.override(config, changes)
    return config


def fake_scores(monkeypatch, *values):
    scores = iter(values)
    monkeypatch.setattr(validation, "frechet_distance", lambda a, b: next(scores))


def found(path):
    return {row["step"]: row[METRIC] for row in read_metrics(path / "metrics.jsonl") if METRIC in row}


def test_a_run_stops_when_validation_stops_improving(scored_config, tmp_path, monkeypatch, quick_classifier, capsys):
    """Scores 3, 1, 2, 4: the best is the second, and two without a better one end the run at step 8."""
    configs.override(scored_config, {"eval.patience": 2, "num_steps": 400})
    fake_scores(monkeypatch, 3.0, 1.0, 2.0, 4.0, 0.0)
    path = tmp_path / "run"
    session.train(scored_config, str(path), str(tmp_path / "cache"))
    assert found(path) == {2: 3.0, 4: 1.0, 6: 2.0, 8: 4.0}
    run = json.loads((path / "run.json").read_text())
    assert (run["status"], run["step"], run["data"]["num_validation"]) == ("completed", 8, 15)
    assert run["validation_seconds"] > 0
    printed = capsys.readouterr().out
    assert "stopped early at step 8: validation was best at step 4" in printed
    assert "best at step 4 (1.00); 4 scores," in printed
    session.train(scored_config, str(path), str(tmp_path / "cache"))
    assert json.loads((path / "run.json").read_text())["step"] == 8, "a stopped run is finished"


def test_the_best_state_is_kept_and_scored_beside_the_last(scored_config, tmp_path, monkeypatch, quick_classifier):
    """Scores 3, 1, 2 and, at the last step, 4: states of steps 2 and 4 were the best when they were made."""
    path, cache = tmp_path / "run", str(tmp_path / "cache")
    with monkeypatch.context() as patch:
        fake_scores(patch, 3.0, 1.0, 2.0, 4.0)
        session.train(scored_config, str(path), cache)
    assert found(path) == {2: 3.0, 4: 1.0, 6: 2.0, 7: 4.0}
    assert sorted(entry.name for entry in (path / "best").iterdir()) == ["2", "4"]
    best, newest = load_run(str(path), "best"), load_run(str(path))
    assert (best.step, int(best.state.step), newest.step) == (4, 4, 7)
    text = score.final_table(str(path), 12, cache)
    assert "step 7," in text
    assert "best state: step 4, chosen by its validation score" in text
    read = lambda name: json.loads((path / name).read_text())  # noqa: E731
    assert (read("evaluation.json")["step"], read("evaluation-best.json")["step"]) == (7, 4)
    assert read("evaluation.json")["frechet_distance"] != read("evaluation-best.json")["frechet_distance"]


def test_rows_of_a_score(scored_config, tmp_path, quick_classifier):
    """Every score stands in the row, and is what the metrics give for the same images."""
    path, cache = tmp_path / "run", str(tmp_path / "cache")
    session.train(scored_config, str(path), cache)
    row = next(row for row in read_metrics(path / "metrics.jsonl") if METRIC in row and row["step"] == 7)
    trained, dataset = load_run(str(path)), session.load_data(scored_config, "")
    classify, _ = features.classifier(dataset, cache)
    labels = np.arange(12) % 3
    generated, probabilities = classify(trained.generate(labels.astype(np.int32)))
    real, _ = classify(dataset.validation.images)
    assert row[METRIC] == pytest.approx(frechet_distance(generated, real), rel=1e-6)
    near = precision_recall_density_coverage(real, generated)
    assert (row["validation_precision"], row["validation_recall"]) == (near.precision, near.recall)
    assert row["validation_conditional_accuracy"] == np.mean(probabilities.argmax(axis=1) == labels)


@pytest.mark.faults
def test_a_run_killed_after_a_score_comes_to_the_same_end(scored_config, tmp_path, monkeypatch, quick_classifier):
    whole, broken, cache = tmp_path / "whole", tmp_path / "broken", str(tmp_path / "cache")
    session.train(scored_config, str(whole), cache)
    save = recorder.Recorder.save

    def dies(self, state):
        if self.status.step == 4:
            raise KeyboardInterrupt  # between the best state's save and the checkpoint
        save(self, state)

    monkeypatch.setattr(recorder.Recorder, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        session.train(scored_config, str(broken), cache)
    monkeypatch.setattr(recorder.Recorder, "save", save)
    session.train(scored_config, str(broken), cache)
    assert rows(broken) == rows(whole)
    assert load_run(str(broken), "best").step == load_run(str(whole), "best").step


def test_a_resumed_run_remembers_its_scores(scored_config, tmp_path, quick_classifier):
    known = [{"step": 2, METRIC: 0.0}, {"step": 4, METRIC: 5.0}, {"step": 5, "d_loss": 0.1}]
    configs.override(scored_config, {"eval.patience": 2})
    part, cache = hold_out(dataset(), 12), str(tmp_path / "cache")
    sample = lambda state, key, labels: np.zeros((len(labels), 9, 9, 1), np.float32)  # noqa: E731
    stopping = validation.Validation(scored_config.eval, part, sample, False, None, known, None, cache)
    assert not stopping.exhausted
    row = stopping.score(6, None)
    assert row[METRIC] > 0.0
    assert "validation_conditional_accuracy" not in row
    assert stopping.exhausted
    assert stopping.best_step == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.num_validation": 0}, "set --config.data.num_validation"),
        ({"eval.patience": -1}, "patience=-1: must be at least 0"),
        ({"eval.num_images": 1}, "num_images=1: must be at least 10"),
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
