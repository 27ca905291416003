"""The command over a run of a second: what it writes, and what it says of mistakes."""

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
from tests.analysis.subjects import seen_as_pixels, spread_out, subject_of
from tests.tiny import run

pytestmark = pytest.mark.filterwarnings("ignore")

OWN = ["interpolation", "class_interpolation", "arithmetic", "truncation", "neighbours", "spectrum", "map"]
KINDS = ("json", "png")


def written(folder):
    return {path.name for path in folder.iterdir()}


def placed(subject, path):
    """The subject with a workdir of its own."""
    path.mkdir()
    config = types.SimpleNamespace(prior=subject.run.config.prior, generator=types.SimpleNamespace(ema_decay=0.9))
    run_info = {"data": {"fingerprint": "f"}}
    parts = {**vars(subject.run), "config": config, "folder": Workdir(str(path)), "step": 7, "run_info": run_info}
    return dataclasses.replace(subject, run=types.SimpleNamespace(**parts))


@pytest.mark.slow
def test_analyses_of_a_run(finished_run, tmp_path, monkeypatch, quick_classifier, capsys):
    words, subjects, load = ("--num_images", 50, "--data_dir", tmp_path), [], analyze.load_subject
    path, _ = finished_run
    monkeypatch.setattr(analyze, "load_subject", lambda *words: subjects.append(load(*words)) or subjects[0])
    capsys.readouterr()
    assert run(analyze, "--workdir", path, "--only", ",".join(OWN), *words) == 0
    said, folder = capsys.readouterr(), path / "analysis-50_images"
    assert [line.partition(":")[0] for line in said.out.splitlines()] == OWN
    assert all(line.endswith(f"; {folder / name}.png") for name, line in zip(OWN, said.out.splitlines(), strict=True))
    assert "analysis 7/7: map" in said.err
    assert written(folder) == {f"{name}.{kind}" for name in OWN for kind in KINDS}
    first = {name: json.loads((folder / f"{name}.json").read_text()) for name in OWN}
    for name, numbers in first.items():
        assert {"step": 7, "data": "idx", "seed": 0, "num_images": 50, "conditional": True}.items() <= numbers.items()
        assert numbers["features"].startswith("classifier-")
        assert {"commit", "versions", "data_fingerprint", "generator"} <= numbers.keys()
        assert min(Image.open(folder / f"{name}.png").size) > 300
    # The same seed gives the same numbers, another one others.
    for seed in (0, 1):
        analyze.analyze(dataclasses.replace(subjects[0], seed=seed), ["truncation"], folder.name)
        assert (json.loads((folder / "truncation.json").read_text()) == first["truncation"]) == (seed == 0)


@pytest.mark.parametrize(("side", "channels"), [(32, 1), (64, 3)])
def test_other_shapes_without_labels_on_a_sphere(side, channels, tmp_path, capsys):
    train_images, test_images = np.random.default_rng(0).integers(0, 256, (2, 200, side, side, channels), np.uint8)

    def tiled(z, weights):
        images = jnp.tile(spread_out(z, weights), (1, -(-side // 6), -(-side // 6), channels))
        return images[:, :side, :side]

    subject = subject_of(tiled, train_images, test_images, conditional=False, num_images=50, prior="sphere")
    subject = dataclasses.replace(subject, extract=lambda images: seen_as_pixels(images[:, :6, :6, :1]))
    analyze.analyze(placed(subject, tmp_path / "run"), OWN)
    lines = {line.partition(": ")[0]: line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == OWN
    skipped = {"class_interpolation", "truncation"}
    assert {name for name, line in lines.items() if line.startswith("skipped, ")} == skipped
    folder = tmp_path / "run" / "analysis"
    assert written(folder) == {f"{name}.{kind}" for name in set(OWN) - skipped for kind in KINDS}


def test_every_name_in_its_turn(tmp_path, monkeypatch, capsys):
    def stand_in(name):
        def analysis(subject, folder):
            if name == "filters":
                raise NotApplicable("no filters here")
            return {"list": [1.0], "some_number": 0.123456, "none": None, "count": 3, "third": 1}

        return analysis

    names = [*OWN, "representation", "filters"]
    assert list(analyze.ANALYSES) == names
    monkeypatch.setattr(analyses, "ANALYSES", {name: stand_in(name) for name in names})
    monkeypatch.setattr(analyze, "load_subject", lambda *words: placed(subject_of(spread_out), tmp_path / "run"))
    assert run(analyze, "--workdir", "W") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == names
    assert lines[0].startswith("interpolation: some number 0.1235, count 3;")
    assert lines[-1] == "filters: skipped, no filters here"
    assert written(tmp_path / "run" / "analysis") == {f"{name}.json" for name in names[:-1]}


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
        said = capfd.readouterr().err.splitlines()
        assert len(said) == 1, said
        assert said[0].startswith("error: ")
        assert message in said[0]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    subject = placed(subject_of(spread_out), tmp_path / "run")
    (tmp_path / "run" / "analysis").write_text("")
    with pytest.raises(UserError, match="analysis cannot be written"):
        analyze.analyze(subject, ["spectrum"])
