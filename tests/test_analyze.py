"""The command over a run of a second: what it writes, and what it says of mistakes."""

import json
import shutil

import pytest
from PIL import Image

from gan_jax import analyze, cli, features, train
from gan_jax.analysis.subject import NotApplicable
from gan_jax.evaluation import classifier
from tests.conftest import run

OWN = ["interpolation", "class_interpolation", "arithmetic", "truncation", "neighbours", "spectrum", "map"]


@pytest.fixture
def quick(monkeypatch):
    """A classifier of five steps."""
    monkeypatch.setattr(features, "Recipe", lambda: classifier.Recipe(num_steps=5, batch_size=4))


def written(folder):
    return {path.name for path in folder.iterdir()}


def test_every_analysis_of_a_conditional_run(config, tmp_path, quick, capsys):
    path, words = tmp_path / "run", ("--num_images", 50, "--data_dir", tmp_path / "cache")
    train.train(config, str(path))
    capsys.readouterr()
    assert run(analyze, "--workdir", path, "--only", ",".join(OWN), *words) == 0
    said = capsys.readouterr()
    assert [line.partition(":")[0] for line in said.out.splitlines()] == OWN
    assert all(line.endswith(".png") for line in said.out.splitlines())
    assert "analysis 7/7: map" in said.err
    assert written(path / "analysis") == {f"{name}.{kind}" for name in OWN for kind in ("json", "png")}
    for name in OWN:
        numbers = json.loads((path / "analysis" / f"{name}.json").read_text())
        assert {"step": 7, "data": "idx", "seed": 0, "num_images": 50}.items() <= numbers.items()
        assert numbers["features"].startswith("classifier-")
        assert {"commit", "versions", "data_fingerprint", "generator"} <= numbers.keys()
        assert min(Image.open(path / "analysis" / f"{name}.png").size) > 300
    # The same seed gives the same numbers, another one others.
    first = (path / "analysis" / "interpolation.json").read_text()
    for seed, same in ((0, True), (1, False)):
        assert run(analyze, "--workdir", path, "--only", "interpolation", "--seed", seed, *words) == 0
        assert ((path / "analysis" / "interpolation.json").read_text() == first) == same


def test_a_run_without_labels_in_color_on_a_sphere(words, tmp_path, quick, capsys):
    changes = ("conditioning=none", "average_decay=0")
    settings = [
        *words,
        *(f"--config.generator.{change}" for change in changes),
        "--config.data.channels=3",
        "--config.data.image_size=12",
    ]
    config = cli.parse_config("configs/dcgan.py", [*settings, "--config.prior.name=sphere"])
    path = tmp_path / "run"
    train.train(config, str(path))
    capsys.readouterr()
    assert run(analyze, "--workdir", path, "--only", ",".join(OWN), "--num_images", 50, "--data_dir", tmp_path) == 0
    lines = {line.partition(": ")[0]: line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == OWN
    skipped = {"class_interpolation", "truncation"}
    assert {name for name, line in lines.items() if line.startswith("skipped, ")} == skipped
    assert written(path / "analysis") == {f"{name}.{kind}" for name in set(OWN) - skipped for kind in ("json", "png")}
    assert json.loads((path / "analysis" / "map.json").read_text())["conditional"] is False


def test_every_name_is_run_in_its_turn(config, tmp_path, quick, monkeypatch, capsys):
    path, calls = tmp_path / "run", []
    train.train(config, str(path))

    def stand_in(name):
        def analysis(subject, folder):
            calls.append(name)
            if name == "filters":
                raise NotApplicable("no filters here")
            return {"list": [1.0], "some_number": 0.123456, "none": None, "count": 3, "third": 1}

        return analysis

    assert set(OWN) < set(analyze.ANALYSES)
    monkeypatch.setattr(analyze, "ANALYSES", {name: stand_in(name) for name in analyze.ANALYSES})
    capsys.readouterr()
    assert run(analyze, "--workdir", path, "--data_dir", tmp_path) == 0
    assert calls == list(analyze.ANALYSES)
    lines = capsys.readouterr().out.splitlines()
    assert "filters: skipped, no filters here" in lines
    assert lines[0].startswith("interpolation: some number 0.1235, count 3;")


def test_mistakes_get_one_line_and_their_exit_code(config, tmp_path, quick, capfd):
    path, empty, bare = tmp_path / "run", tmp_path / "empty", tmp_path / "bare"
    train.train(config, str(path))
    empty.mkdir()
    shutil.copytree(path, bare)
    shutil.rmtree(bare / "checkpoints")
    blocked = tmp_path / "blocked"
    shutil.copytree(path, blocked)
    (blocked / "analysis").write_text("")
    cases = [
        (("--workdir", path, "--only", "interpolaton"), "did you mean interpolation"),
        (("--workdir", path, "--only", "spectrum,zebra"), "choose one of: arithmetic, "),
        (("--workdir", path, "--num_images", 49), "must be at least 50"),
        (("--workdir", path, "--seed", -1), "at least 0"),
        (("--workdir", empty), "holds no run"),
        (("--workdir", bare), "has no checkpoint yet"),
        (("--workdir", blocked, "--data_dir", tmp_path), "cannot be written"),
    ]
    capfd.readouterr()
    for command, message in cases:
        assert run(analyze, *command) == 2, command
        said = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("classifier ")]
        assert len(said) == 1, said
        assert said[0].startswith("error: ")
        assert message in said[0]
