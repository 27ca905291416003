"""experiments.first_run with a stand-in for the training command."""

import json
import pathlib
import sys
import tempfile

import pytest

from experiments import first_run
from tests.tiny import run

PRINTED = (
    "validation: best at step 4\n             generated   +-\nFrechet distance  3.00  0.1\nthe last step was the best"
)
STAND_IN = f"""
import json, os, pathlib, sys
from gan_jax.runs.workdir import Workdir
folder = pathlib.Path(sys.argv[1])
(folder / "samples").mkdir(parents=True)
for step in (2, 4):
    (folder / "samples" / f"step-{{step:06d}}.png").write_text(f"samples of step {{step}}")
Workdir(str(folder)).update_run(status="completed", step=4, seconds=90.0)
(folder / "evaluation.json").write_text('{{"step": 4, "frechet_distance": 3.0}}')
assert pathlib.Path(os.environ["XDG_CACHE_HOME"]).parent == folder.parent
total = sum(number**0.5 for number in range(3_000_000))
print("step 2/4")
print({PRINTED!r})
print("results     ", folder)
"""


@pytest.fixture
def replace_training(monkeypatch):
    """Replaces the training command by a program."""
    return lambda text: monkeypatch.setattr(
        first_run, "command", lambda workdir: [sys.executable, "-c", text, str(workdir)]
    )


def test_the_command_is_that_of_make_run(tmp_path):
    arguments = " ".join(first_run.command(tmp_path)[1:])
    assert arguments == f"-m gan_jax.main --config configs/cdcgan.py --workdir {tmp_path}"
    makefile = pathlib.Path("Makefile").read_text()
    assert f"CONFIG ?= {first_run.CONFIG}\n" in makefile
    assert "$(BIN)/python -m gan_jax.main --config $(CONFIG)\n" in makefile


def test_a_run_is_recorded(replace_training, tmp_path, capsys):
    replace_training(STAND_IN)
    assert run(first_run, f"--output={tmp_path / 'out'}") == 0
    text = (tmp_path / "out" / "first_run.json").read_text()
    record = json.loads(text)
    assert record["printed"] == PRINTED
    assert record["evaluation"] == {"step": 4, "frechet_distance": 3.0}
    assert record["training_minutes"] == 1.5
    assert 0 < record["core_minutes"] <= 1.5 * record["minutes"]
    assert record["load_average"] >= 0 <= record["load_average_at_end"]
    assert (tmp_path / "out" / "first_run.png").read_text() == "samples of step 4"
    assert tempfile.gettempdir() not in text
    assert "step 2/4" in capsys.readouterr().out


def test_a_run_that_fails_is_not_recorded(replace_training, tmp_path, capsys):
    replace_training("import sys; print('step 1'); sys.exit(3)")
    assert run(first_run, f"--output={tmp_path / 'out'}") == 2
    assert "configs/cdcgan.py ended with exit code 3; nothing is recorded" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_known_before_the_training(replace_training, tmp_path, capsys):
    replace_training(f"open({str(tmp_path / 'started')!r}, 'w')")
    (tmp_path / "file").write_text("")
    assert run(first_run, f"--output={tmp_path / 'file'}") == 2
    assert f"--output: {tmp_path / 'file'} cannot be written" in capsys.readouterr().err
    assert not (tmp_path / "started").exists()
