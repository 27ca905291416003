"""experiments.scoring_classifier: images that get worse and worse, and the page."""

import json
import pathlib

import numpy as np
import pytest

from experiments import scoring_classifier
from gan_jax.data.dataset import Split
from gan_jax.evaluation.recipes import Recipe
from tests.tiny import run


def test_degraded_images():
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (40, 12, 12, 3)).astype(np.uint8), np.arange(40, dtype=np.int32) % 10)
    rows = scoring_classifier.degraded_images(split)
    for way, strengths in scoring_classifier.STRENGTHS.items():
        changes = [np.mean(images != split.images) for images in rows[way]]
        assert changes[0] == 0
        assert len(changes) == len(strengths) + 1
        assert all(change > 0 for change in changes[1:])
        assert all(images.dtype == np.uint8 for images in rows[way])
    spreads = [images.astype(float).std() for images in rows["blur"]]
    assert spreads == sorted(spreads, reverse=True)
    own = {image.tobytes(): label for image, label in zip(*split, strict=True)}
    counts = [len({own[image.tobytes()] for image in images}) for images in rows["missing"]]
    assert counts == [10, 9, 8, 6, 3]
    # Blur keeps constant parts, and makes a step a ramp.
    step = np.zeros((1, 1, 20, 1), np.uint8)
    step[0, 0, 10:] = 200
    blurred = scoring_classifier._blur(Split(step, np.zeros(1, np.int32)), 1.2, rng)[0, 0, :, 0].astype(int)
    assert (blurred[0], blurred[-1]) == (0, 200)
    assert blurred[9] + blurred[10] == 200
    assert list(blurred) == sorted(blurred)


def test_the_command_writes_a_page(digits, tmp_path, monkeypatch):
    recipe = Recipe(widths=(4, 8, 8), num_features=8, num_steps=8, batch_size=4)
    monkeypatch.setattr(scoring_classifier, "recipe_for", lambda *arguments: recipe)
    monkeypatch.setattr(scoring_classifier, "STRENGTHS", {"noise": (4, 64)})
    arguments = ["--name=idx", f"--dir={digits}", "--num_validation=0", "--steps=8", f"--output={tmp_path}"]
    assert run(scoring_classifier, *arguments) == 0
    result = json.loads((tmp_path / "scoring_classifier.json").read_text())
    assert [row["num_steps"] for row in result["classifiers"]] == [8]
    assert all(0 <= row["test_accuracy"] <= 1 and row["pairs"] == 2 for row in result["classifiers"])
    assert "| 8 | " in (tmp_path / "scoring_classifier.md").read_text()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--flips=yes", "choose one of: always, auto, never"),
        ("--steps=many", "whole numbers"),
        ("--steps=0", "least 1"),
    ],
)
def test_wrong_arguments(argument, message, digits, capsys):
    assert run(scoring_classifier, "--name=idx", f"--dir={digits}", "--num_validation=0", argument) == 2
    assert message in capsys.readouterr().err


def test_the_documentation_has_the_numbers_of_the_record():
    record = json.loads(pathlib.Path("experiments/results/scoring_classifier.json").read_text())
    text = " ".join(pathlib.Path("docs/scores.md").read_text().split())
    rows = {row["num_steps"]: row for row in record["classifiers"]}
    best = rows[max(rows)]
    assert f"{best['num_steps']:,} steps, {best['core_seconds']:,.0f} seconds of processor time" in text
    assert all(f"{row['test_accuracy']:.1%}" in text for row in rows.values())
    assert [steps for steps, row in rows.items() if row["note"]] == [1, 10]
    missing = {steps: row["distances"]["missing"] for steps, row in rows.items()}
    assert [steps for steps, (*_, two, four, _) in missing.items() if two > four] == [30, 100]
    for steps in set(rows) - {1}:
        in_order = [*rows[steps]["distances"].values(), missing[steps][:2]]
        in_order.remove(missing[steps])
        assert all(row == sorted(row) for row in in_order)
    assert all(rows[steps]["pairs_in_order"] == rows[steps]["pairs"] for steps in (300, max(rows)))
