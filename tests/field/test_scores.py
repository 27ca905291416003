"""Scores as people ask for them: again by another protocol, of few images, in large features."""

import json

import pytest

from gan_jax import evaluate
from gan_jax.runs.score import Protocol
from tests.tiny import run

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


# improved-diffusion 107: a number is worth nothing without the protocol that it was computed by.
def test_every_protocol_has_a_file_of_its_own():
    others = {
        "num_images": 20,
        "seed": 1,
        "features": "pixels",
        "split": "validation",
        "generator": "raw",
        "checkpoint": "best",
        "train_on_generated": True,
        "quick": True,
    }
    assert tuple(others) == Protocol._fields
    changed = [Protocol(**{name: value}).file_name for name, value in others.items()]
    assert len({Protocol().file_name, *changed}) == 1 + len(others)
    assert Protocol().file_name == "evaluation.json"
    assert Protocol(**others).file_name == (
        "evaluation-20_images-seed_1-pixels-validation-raw-best-train_on_generated-quick.json"
    )


def test_a_quick_look_leaves_the_scores_on_record(finished_run, capsys):
    path, _ = finished_run
    record = path / "evaluation.json"
    record.write_text('{"of": "10,000 images"}')
    words = ("--workdir", path, "--features", "pixels", "--num_images", 20)
    assert run(evaluate, *words) == 0
    assert run(evaluate, *words, "--seed", 1) == 0
    assert json.loads(record.read_text()) == {"of": "10,000 images"}
    first, second = (path / f"evaluation-20_images{seed}-pixels.json" for seed in ("", "-seed_1"))
    assert json.loads(first.read_text())["seed"] == 0
    assert json.loads(second.read_text())["seed"] == 1


def test_inception_weights_without_inception_are_refused(finished_run, capsys):
    path, _ = finished_run
    assert run(evaluate, "--workdir", path, "--inception_weights", "weights.pth") == 2
    assert "--inception_weights=weights.pth is for --features inception" in capsys.readouterr().err
