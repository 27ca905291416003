"""Early stopping: scores on held-out training images, kept over a resume, and the end of the run."""

import json

import numpy as np
import pytest

from gan_jax import config as configs
from gan_jax import early_stopping, features, train
from gan_jax.data.dataset import Dataset, Split, hold_out
from gan_jax.early_stopping import METRIC, EarlyStopping
from gan_jax.errors import UserError
from gan_jax.evaluation import classifier
from gan_jax.records import read_metrics

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def dataset(size=30):
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (size, 9, 9, 1)).astype(np.uint8), (np.arange(size) % 3).astype(np.int32))
    return Dataset("a", "b", "a", split, split)


def test_held_out_images_are_balanced_and_leave_the_training_split():
    whole = dataset()
    part = hold_out(whole, 7)
    assert sorted(np.bincount(part.validation.labels)) == [2, 2, 3]
    rows = lambda split: {image.tobytes() for image in split.images}  # noqa: E731
    assert not rows(part.train) & rows(part.validation)
    assert rows(part.train) | rows(part.validation) == rows(whole.train)
    assert part.fingerprint() == hold_out(whole, 7).fingerprint() != whole.fingerprint()
    assert hold_out(whole, 0) is whole
    with pytest.raises(UserError, match="num_validation=30: between 2 and 29"):
        hold_out(whole, 30)


@pytest.fixture
def quick_classifier(monkeypatch):
    monkeypatch.setattr(features, "Recipe", lambda: classifier.Recipe(num_steps=5, batch_size=4))


@pytest.fixture
def stopping_config(config):
    changes = {"data.num_validation": 6, "early_stopping.every_steps": 2, "early_stopping.patience": 2}
    configs.override(config, changes | {"early_stopping.num_images": 8, "num_steps": 400})
    return config


def test_a_run_stops_when_validation_stops_improving(stopping_config, tmp_path, monkeypatch, quick_classifier, capsys):
    """Scores 3, 1, 2, 4: the best is the second, and two without a better one end the run at step 8."""
    scores = iter([3.0, 1.0, 2.0, 4.0, 0.0])
    monkeypatch.setattr(early_stopping, "frechet_distance", lambda a, b: next(scores))
    path = tmp_path / "run"
    train.train(stopping_config, str(path), str(tmp_path / "cache"))
    found = {row["step"]: row[METRIC] for row in read_metrics(path / "metrics.jsonl") if METRIC in row}
    assert found == {2: 3.0, 4: 1.0, 6: 2.0, 8: 4.0}
    run = json.loads((path / "run.json").read_text())
    assert (run["status"], run["step"], run["data"]["num_validation"]) == ("completed", 8, 6)
    assert "stopped early at step 8: validation was best at step 4" in capsys.readouterr().out
    train.train(stopping_config, str(path), str(tmp_path / "cache"))
    assert json.loads((path / "run.json").read_text())["step"] == 8, "a stopped run is finished"


def test_a_resumed_run_remembers_its_scores(stopping_config, tmp_path, quick_classifier):
    known = [{"step": 2, METRIC: 1.0}, {"step": 4, METRIC: 5.0}, {"step": 5, "d_loss": 0.1}]
    part, cache = hold_out(dataset(), 6), str(tmp_path / "cache")
    sample = lambda state, key, labels: np.zeros((len(labels), 9, 9, 1), np.float32)  # noqa: E731
    stopping = EarlyStopping(stopping_config.early_stopping, part, sample, known, cache)
    assert not stopping.exhausted
    assert stopping.score(6, None) > 1.0
    assert stopping.exhausted
    assert stopping.best_step == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.num_validation": 0}, "set --config.data.num_validation"),
        ({"early_stopping.patience": 0}, "patience=0: must be at least 1"),
        ({"early_stopping.num_images": 1}, "num_images=1: must be at least 2"),
    ],
)
def test_refusals(stopping_config, tmp_path, changes, message):
    configs.override(stopping_config, changes)
    with pytest.raises(UserError, match=message):
        train.train(stopping_config, str(tmp_path / "run"), str(tmp_path / "cache"))
