"""The analyze command: its files, its output and its error messages."""

import dataclasses
import json
import types

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax import analyze
from gan_jax.analysis import analyses
from gan_jax.analysis.subject import NotApplicable
from gan_jax.runs.workdir import Workdir
from gan_jax.system.errors import UserError
from tests.analysis.subjects import linear_generator, pixel_features, subject_of
from tests.tiny import run

pytestmark = pytest.mark.filterwarnings("ignore")

SUBJECT_ANALYSES = ["interpolation", "class_interpolation", "arithmetic", "truncation", "neighbours", "spectrum", "map"]
KINDS = ("json", "png")


def files_in(folder):
    return {path.name for path in folder.iterdir()}


def with_workdir(subject, path):
    """The subject with a workdir at path."""
    path.mkdir()
    config = types.SimpleNamespace(
        prior=subject.run.config.prior, generator=types.SimpleNamespace(ema_decay=0.9, ema_half_life=None)
    )
    run_info = {"data": {"fingerprint": "f"}}
    parts = {**vars(subject.run), "config": config, "folder": Workdir(str(path)), "step": 7, "run_info": run_info}
    return dataclasses.replace(subject, run=types.SimpleNamespace(**parts))


@pytest.mark.slow
def test_analyses_of_a_run(finished_run, tmp_path, monkeypatch, quick_classifier, capsys):
    arguments, subjects, load_subject = ("--num_images", 50, "--data_dir", tmp_path), [], analyze.load_subject
    path, _ = finished_run
    monkeypatch.setattr(
        analyze, "load_subject", lambda *arguments: subjects.append(load_subject(*arguments)) or subjects[0]
    )
    capsys.readouterr()
    assert run(analyze, "--workdir", path, "--only", ",".join(SUBJECT_ANALYSES), *arguments) == 0
    printed, folder = capsys.readouterr(), path / "analysis-50_images"
    assert [line.partition(":")[0] for line in printed.out.splitlines()] == SUBJECT_ANALYSES
    assert all(
        line.endswith(f"; {folder / name}.png")
        for name, line in zip(SUBJECT_ANALYSES, printed.out.splitlines(), strict=True)
    )
    assert "analysis 7/7: map" in printed.err
    assert files_in(folder) == {f"{name}.{kind}" for name in SUBJECT_ANALYSES for kind in KINDS}
    first = {name: json.loads((folder / f"{name}.json").read_text()) for name in SUBJECT_ANALYSES}
    for name, numbers in first.items():
        assert {"step": 7, "data": "idx", "seed": 0, "num_images": 50, "conditional": True}.items() <= numbers.items()
        assert numbers["features"].startswith("classifier-")
        assert {"commit", "versions", "data_fingerprint", "generator"} <= numbers.keys()
        assert min(Image.open(folder / f"{name}.png").size) > 300
    # The same seed gives the same numbers; another seed gives different ones.
    for seed in (0, 1):
        analyze.analyze(dataclasses.replace(subjects[0], seed=seed), ["truncation"], folder.name)
        assert (json.loads((folder / "truncation.json").read_text()) == first["truncation"]) == (seed == 0)


@pytest.mark.thorough
@pytest.mark.parametrize(("side", "channels"), [(32, 1), (64, 3)])
def test_other_shapes_without_labels_on_a_sphere(side, channels, tmp_path, capsys):
    train_images, test_images = np.random.default_rng(0).integers(0, 256, (2, 200, side, side, channels), np.uint8)

    def generate_tiled(z, weights):
        images = jnp.tile(linear_generator(z, weights), (1, -(-side // 6), -(-side // 6), channels))
        return images[:, :side, :side]

    subject = subject_of(generate_tiled, train_images, test_images, conditional=False, num_images=50, prior="sphere")
    subject = dataclasses.replace(subject, extract=lambda images: pixel_features(images[:, :6, :6, :1]))
    analyze.analyze(with_workdir(subject, tmp_path / "run"), SUBJECT_ANALYSES)
    lines = {line.partition(": ")[0]: line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == SUBJECT_ANALYSES
    skipped = {"class_interpolation", "truncation"}
    assert {name for name, line in lines.items() if line.startswith("skipped, ")} == skipped
    folder = tmp_path / "run" / "analysis"
    assert files_in(folder) == {f"{name}.{kind}" for name in set(SUBJECT_ANALYSES) - skipped for kind in KINDS}


def test_all_analyses_run_in_order(tmp_path, monkeypatch, capsys):
    def fake_analysis(name):
        def analysis(subject, folder):
            if name == "filters":
                raise NotApplicable("no filters here")
            return {"list": [1.0], "some_number": 0.123456, "none": None, "count": 3, "third": 1}

        return analysis

    all_names = [*SUBJECT_ANALYSES, "sefa", "representation", "filters"]
    assert list(analyze.ANALYSES) == all_names
    monkeypatch.setattr(analyses, "ANALYSES", {name: fake_analysis(name) for name in all_names})
    monkeypatch.setattr(
        analyze, "load_subject", lambda *arguments: with_workdir(subject_of(linear_generator), tmp_path / "run")
    )
    assert run(analyze, "--workdir", "W") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == all_names
    assert lines[0].startswith("interpolation: some number 0.1235, count 3;")
    assert lines[-1] == "filters: skipped, no filters here"
    assert files_in(tmp_path / "run" / "analysis") == {f"{name}.json" for name in all_names[:-1]}


def test_mistakes_get_one_line_and_their_exit_code(config, tmp_path, capfd):
    untrained, empty = tmp_path / "untrained", tmp_path / "empty"
    Workdir(str(untrained)).start(config)
    empty.mkdir()
    cases = [
        (("--workdir", untrained, "--only", "interpolaton"), "did you mean interpolation"),
        (("--workdir", untrained, "--only", "spectrum,zebra"), "choose one of: arithmetic, "),
        (("--workdir", untrained, "--num_images", 49), "must be at least 50"),
        (("--workdir", untrained, "--seed", -1), "must be a whole number from 0 to"),
        (("--workdir", untrained), "has no checkpoint yet"),
        (("--workdir", empty), "holds no run"),
    ]
    for command, message in cases:
        assert run(analyze, *command) == 2, command
        lines = capfd.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        assert message in lines[0]


def test_a_folder_that_cannot_be_created_is_named(tmp_path):
    subject = with_workdir(subject_of(linear_generator), tmp_path / "run")
    (tmp_path / "run" / "analysis").write_text("")
    with pytest.raises(UserError, match="analysis cannot be written"):
        analyze.analyze(subject, ["spectrum"])
