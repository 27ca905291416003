"""Scores as people ask for them: again by another protocol, of few images, in large features."""

import json

import numpy as np
import pytest

from gan_jax import evaluate
from gan_jax.analysis.analyses import folder_name
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.sizes import check_sizes
from gan_jax.runs import load
from gan_jax.runs.score import Protocol
from gan_jax.system.errors import UserError
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
        "sampler": "drs:percentile=90,burn_in=5",
        "standing_passes": 16,
    }
    assert tuple(others) == Protocol._fields
    changed = [Protocol(**{name: value}).file_name for name, value in others.items()]
    assert len({Protocol().file_name, *changed}) == 1 + len(others)
    assert Protocol().file_name == "evaluation.json"
    assert Protocol(**others).file_name == (
        "evaluation-20_images-seed_1-pixels-validation-raw-best-train_on_generated-quick"
        "-drs-percentile=90-burn_in=5-standing_16.json"
    )


def test_a_quick_look_leaves_the_scores_on_record(finished_run, capsys):
    path, _ = finished_run
    record = path / "evaluation.json"
    record.write_text('{"of": "10,000 images"}')
    arguments = ("--workdir", path, "--features", "pixels", "--num_images", 20)
    assert run(evaluate, *arguments) == 0
    assert run(evaluate, *arguments, "--seed", 1) == 0
    assert json.loads(record.read_text()) == {"of": "10,000 images"}
    first, second = (path / f"evaluation-20_images{seed}-pixels.json" for seed in ("", "-seed_1"))
    assert json.loads(first.read_text())["seed"] == 0
    assert json.loads(second.read_text())["seed"] == 1


def test_every_analysis_has_a_folder_of_its_own():
    assert folder_name(2000, 0, "newest") == "analysis"
    assert folder_name(50, 1, "best") == "analysis-50_images-seed_1-best"


def test_inception_weights_without_inception_are_refused(finished_run, capsys):
    path, _ = finished_run
    assert run(evaluate, "--workdir", path, "--inception_weights", "weights.pth") == 2
    assert "--inception_weights=weights.pth is for --features inception" in capsys.readouterr().err


# pytorch-fid 78: fewer images than features.
def test_fewer_images_than_features_are_said(finished_run, capsys):
    path, _ = finished_run
    assert run(evaluate, "--workdir", path, "--features", "pixels", "--num_images", 20) == 0
    line = "fewer images (20 generated, 6 real) than features (81): the Frechet distance is too high"
    printed = capsys.readouterr()
    assert line in printed.out
    assert f"WARNING: {line}" in printed.err
    result = json.loads((path / "evaluation-20_images-pixels.json").read_text())
    assert (result["num_features"], result["num_generated"], result["num_real"]) == (81, 20, 6)


@pytest.mark.parametrize("number", [2, 3, 11])
def test_very_few_images(finished_run, number):
    arguments = ("--features", "pixels", "--num_images", number)
    assert run(evaluate, "--workdir", finished_run[0], *arguments) == 0


def test_large_features_of_few_images_take_no_large_matrix():
    a, b = np.random.default_rng(0).normal(size=(2, 30, 60_000))
    # A covariance would have 60,000 x 60,000 numbers: 29 GB.
    assert np.isfinite(frechet_distance(a, b))


PIXELS = 64 * 64 * 3


def test_what_would_take_hours_is_refused_with_what_to_add():
    sizes = {"generated": 10_000, "real": 10_000, "train": 60_000}
    with pytest.raises(UserError, match="pixels: 12288 features of .*; add --num_images 2000 --quick, or take"):
        check_sizes("pixels", PIXELS, **sizes, quick=False)
    check_sizes("pixels", PIXELS, **sizes | {"generated": 2000}, quick=True)
    with pytest.raises(UserError, match="gigabytes; take --features classifier"):
        check_sizes("pixels", PIXELS, generated=2000, real=100_000, train=60_000, quick=True)
    # Those of usual sets pass.
    for name, features in (("classifier", 128), ("pixels", 28 * 28), ("pixels", 32 * 32 * 3), ("inception", 2048)):
        check_sizes(name, features, **sizes, quick=False)


def test_it_is_refused_before_an_image_is_generated(finished_run, monkeypatch, capsys):
    monkeypatch.setattr("gan_jax.evaluation.sizes._MOST_ROWS", 5)
    monkeypatch.setattr(load.LoadedRun, "generate", None)
    arguments = ("--features", "pixels", "--num_images", 20)
    assert run(evaluate, "--workdir", finished_run[0], *arguments) == 2
    assert "--features pixels: 81 features of 20 generated, 6 real and 12 training images" in capsys.readouterr().err
