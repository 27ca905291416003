"""The commands on a finished run, and their error messages."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from gan_jax import evaluate, main, sample
from gan_jax.runs import load, score
from gan_jax.system import files
from gan_jax.system.errors import DataUnavailable, UserError
from tests.tiny import run

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_sampling(finished_run, tmp_path):
    path, _ = finished_run
    output = tmp_path / "samples.npz"
    assert run(sample, "--workdir", path, "--num_images", 7, "--output", output) == 0
    with np.load(output) as data:
        assert data["images"].shape == (7, 9, 9, 1)
        assert data["images"].dtype == np.uint8
        assert data["labels"].tolist() == [0, 1, 2, 0, 1, 2, 0]
        balanced = data["images"]
    assert run(sample, "--workdir", path, "--num_images", 7, "--output", output) == 0
    with np.load(output) as data:
        assert np.array_equal(data["images"], balanced)
    assert run(sample, "--workdir", path, "--labels", "2,1", "--num_images", 4, "--output", tmp_path / "g.png") == 0
    assert Image.open(tmp_path / "g.png").size == (20, 20)


def test_scores_of_a_run(finished_run, tmp_path, quick_classifier, capsys):
    (path, _), cache = finished_run, tmp_path / "cache"
    arguments = ("--workdir", path, "--num_images", 30, "--data_dir", cache)
    assert run(evaluate, *arguments) == 0
    first = json.loads((path / "evaluation-30_images.json").read_text())
    assert "conditional accuracy" in capsys.readouterr().out
    assert first["num_generated"] == 30
    assert first["features"].startswith("classifier-")
    assert 0 <= first["conditional_accuracy"] <= 1
    assert len(list((cache / "classifiers").iterdir())) == 1
    # The cached classifier gives the same scores. If it is damaged, the error names its file.
    assert run(evaluate, *arguments) == 0
    assert json.loads((path / "evaluation-30_images.json").read_text()) == first
    (cached,) = (cache / "classifiers").iterdir()
    cached.write_bytes(cached.read_bytes()[:100])
    with pytest.raises(DataUnavailable, match=cached.name):
        score.evaluate(str(path), score.Protocol(30), str(cache))


def test_a_run_of_another_version_is_refused_by_name(finished_run):
    path, _ = finished_run
    saved = files.read_sealed(path / "config.json")
    saved["data"]["num_labeled"] = saved["data"].pop("num_labels")
    files.write_sealed(path / "config.json", saved)
    with pytest.raises(UserError, match="another version of this code: .*num_labeled") as error:
        load.load_run(str(path))
    assert "\n" not in str(error.value)


def test_mistakes_get_one_line_and_their_exit_code(overrides, finished_run, tmp_path, capfd):
    trained, file, empty = finished_run[0], tmp_path / "file", tmp_path / "empty"
    file.write_text("")
    empty.mkdir()
    train = ("--config", "configs/cgan.py", *overrides)
    cases = [
        (main, ("--config", "configs/nothing.py"), 2, "no config file"),
        (main, (*train, "--config.batchsize=3"), 2, "did you mean batch_size"),
        (main, (*train, "--config.batch_size=x"), 2, "a whole number"),
        (main, (*train, "--config.batch_size=13"), 2, "more than the 12 training images"),
        (main, (*train, "--workdir", file), 2, "is a file"),
        (main, (*train, "--workdir", "runs/../elsewhere"), 2, "holds '..'"),
        (main, (*train, "--workdir", "/proc/nowhere/run"), 2, "cannot be written"),
        (main, (*train, "--workdir", tmp_path), 2, "is not empty and holds no run"),
        (main, (*train, "--config.data.dir=/nowhere"), 4, "is not a folder"),
        (sample, ("--workdir", empty), 2, "holds no run"),
        (sample, ("--workdir", trained, "--labels", "3"), 2, "the classes are 0, 1, 2"),
        (sample, ("--workdir", trained, "--labels", "a"), 2, "the classes are 0, 1, 2"),
        (sample, ("--workdir", trained, "--num_images", "0"), 2, "at least 1"),
        (sample, ("--workdir", trained, "--output", "x.gif"), 2, "end the name in"),
        (sample, ("--workdir", trained, "--output", file / "x.png"), 2, "cannot be written"),
        (evaluate, ("--workdir", empty), 2, "holds no run"),
        (evaluate, ("--workdir", trained, "--num_images", "1"), 2, "at least 2"),
    ]
    capfd.readouterr()
    for module, command, code, message in cases:
        assert run(module, *command) == code, command
        lines = [line for line in capfd.readouterr().err.splitlines() if line]
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        assert message in lines[0]


def test_a_class_with_a_comma_in_its_name_is_given_by_its_position():
    names = ("cat", "#0", "dog, small")
    assert sample._labels("#2,cat,#2", 4, 3, names).tolist() == [2, 0, 2, 2]
    assert sample._labels("#0", 1, 3, names).tolist() == [1], "a name comes before a position"
    with pytest.raises(UserError, match="'dog' is not a class; .*a name with a comma .*: #2 for 'dog, small'"):
        sample._labels("dog, small", 2, 3, names)
    with pytest.raises(UserError, match="'#3' is not a class; the classes are cat, dog$"):
        sample._labels("#3", 1, 2, ("cat", "dog"))


def test_a_reader_that_has_gone_gets_no_traceback():
    """As in `... --list | head -1`."""
    code = "from gan_jax import cli; cli.execute(lambda: [print('line' * 99) for _ in range(9999)])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("line")
    process.stdout.close()
    assert (process.wait(), process.stderr.read()) == (141, "")
