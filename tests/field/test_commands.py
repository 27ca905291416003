"""Flags as people type them."""

import io
import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax import analyze, cli, evaluate, main, sample, turing
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import session
from tests.tiny import rows, run

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


# numpy 24991: a seed that one library takes and another does not.
@pytest.mark.parametrize("command", [evaluate, sample, analyze, turing])
@pytest.mark.parametrize("seed", ["-1", "99999999999999999999", "1.5", "x", "2147483648"])
def test_a_seed_is_refused_before_anything_is_loaded(command, seed, capsys, tmp_path):
    assert run(command, "--workdir", tmp_path / "nothing", f"--seed={seed}") == 2
    assert f"--seed={seed}: must be a whole number from 0 to 2147483647" in capsys.readouterr().err


# mimicry 30: as many images as labels.
def test_labels_say_how_many_images(finished_run, tmp_path):
    path, _ = finished_run
    output = tmp_path / "samples.npz"
    assert run(sample, "--workdir", path, "--labels", "2,1,0", "--output", output) == 0
    assert np.load(output)["labels"].tolist() == [2, 1, 0]
    assert run(sample, "--workdir", path, "--labels", "2,1", "--num_images", 5, "--output", output) == 0
    assert np.load(output)["labels"].tolist() == [2, 1, 2, 1, 2]


# medfusion 33: labels of a generator that takes none.
@pytest.mark.thorough
def test_an_unconditional_generator_has_no_labels(config, tmp_path, capsys):
    changes = {"generator.conditioning": "none", "discriminator.conditioning": "none", "num_steps": 1}
    configs.override(config, changes)
    path, output = tmp_path / "run", tmp_path / "samples.npz"
    session.train(config, str(path))
    assert run(sample, "--workdir", path, "--labels", "1", "--output", output) == 2
    assert "this generator takes no labels" in capsys.readouterr().err
    assert not output.exists()
    assert run(sample, "--workdir", path, "--num_images", 4, "--output", output) == 0
    assert np.load(output).files == ["images"]


# pytorch-fid 78: tools that score folders want one file an image.
def test_a_folder_of_pngs(finished_run, tmp_path, capsys):
    path, _ = finished_run
    output = tmp_path / "images"
    assert run(sample, "--workdir", path, "--num_images", 4, "--output", f"{output}/") == 0
    names = sorted(file.name for file in output.iterdir())
    assert names == [f"{index:06d}-class-{index % 3}.png" for index in range(4)]
    assert Image.open(output / names[0]).size == (9, 9)
    assert run(sample, "--workdir", path, "--output", f"{output}/") == 2
    assert "is not empty" in capsys.readouterr().err


# HistoQC 197, wandb 652: the same rules for what is written elsewhere.
def test_outputs_in_the_home_folder_and_at_an_address(finished_run, tmp_path, monkeypatch, capsys):
    path, _ = finished_run
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(sample, "--workdir", path, "--num_images", 2, "--output=~/grid.png") == 0
    assert (tmp_path / "grid.png").is_file()
    assert run(sample, "--workdir", path, "--output=gs://bucket/grid.png") == 2
    assert "is an address" in capsys.readouterr().err


# GANSketching 15: the best state can be scored, so it can be seen.
@pytest.mark.parametrize("command", [sample, analyze, turing])
def test_the_best_state_is_asked_for_by_the_same_flag(command, finished_run, capsys):
    assert run(command, "--workdir", finished_run[0], "--checkpoint", "best") == 2
    assert "has no best state" in capsys.readouterr().err


def test_a_path_of_a_config_may_hold_a_colon(tmp_path):
    folder = tmp_path / "2026-11-22 10:30"
    folder.mkdir()
    lines = ["from configs.cgan import get_config as get", "VARIANTS = {'': 1, 'other': 2}"]
    text = "\n".join([*lines, "get_config = lambda *variant: get()"])
    (folder / "mine.py").write_text(text)
    for spec in (f"{folder}/mine.py", f"{folder}/mine.py:other"):
        assert cli.parse_config(spec, []).batch_size == configs.load("configs/cgan.py").batch_size
    with pytest.raises(UserError, match="has no variant 'ohter'; did you mean other"):
        configs.load(f"{folder}/mine.py:ohter")


def test_a_result_file_is_json(finished_run, tmp_path, quick_classifier):
    path, _ = finished_run
    assert run(evaluate, "--workdir", path, "--num_images", 12, "--data_dir", tmp_path / "cache") == 0
    json.loads((path / "evaluation-12_images.json").read_text(), parse_constant=pytest.fail)


# detectron2 4214: options of JAX in the environment that other programs of the same user need.
@pytest.mark.thorough
@pytest.mark.parametrize(("option", "value"), [("jax_enable_x64", True), ("jax_numpy_dtype_promotion", "strict")])
def test_options_that_change_types_are_not_used(option, value, config, tmp_path, capsys):
    usual = getattr(jax.config, option)
    jax.config.update(option, value)
    try:
        cli.execute(lambda: session.train(config, str(tmp_path / "run")))
        assert getattr(jax.config, option) == usual
    finally:
        jax.config.update(option, usual)
    assert f"{option.upper()} is not used here" in capsys.readouterr().err
    assert len(rows(tmp_path / "run")) == 7


def test_wide_types_are_refused_before_training(config, tmp_path):
    jax.config.update("jax_enable_x64", True)
    try:
        with pytest.raises(UserError, match="a GAN is float32"):
            session.train(config, str(tmp_path / "run"))
    finally:
        jax.config.update("jax_enable_x64", False)
    assert not (tmp_path / "run").exists()


# jax 6059: a platform that this machine has not.
def test_a_platform_without_a_device_is_one_line():
    code = "import jax; from gan_jax import cli; cli.execute(lambda: jax.devices())"
    environment = os.environ | {"JAX_PLATFORMS": "cuda"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: JAX finds no device (JAX_PLATFORMS=cuda); unset JAX_PLATFORMS"
    assert "Traceback" not in done.stderr


# Of the same kind, without a public report: a locale that cannot print the name of a folder.
def test_a_path_that_the_locale_cannot_print(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True))
    cli.execute(lambda: print("results     /tmp/é"))
    assert sys.stdout.buffer.getvalue() == b"results     /tmp/\\xe9\n"


# Of the same kind, without a public report: networks that do not fit into the memory.
@pytest.mark.parametrize("error", [MemoryError("Unable to allocate 41.0 GiB"), RuntimeError("RESOURCE_EXHAUSTED: Out")])
def test_too_little_memory_is_one_line(monkeypatch, error):
    printed = []
    monkeypatch.setattr(cli, "_exit_now", lambda message, code: printed.append((message, code)) or sys.exit(code))

    def fail():
        raise error

    with pytest.raises(SystemExit):
        cli.execute(fail)
    assert printed == [("not enough memory; lower batch_size, the widths of the networks, or num_seeds", 2)]


def test_an_empty_name_of_a_folder_is_refused(overrides, capsys):
    assert run(main, "--config", "configs/cgan.py", *overrides, "--workdir=") == 2
    assert "--workdir= names no folder" in capsys.readouterr().err


def test_a_config_file_ends_in_py(capsys):
    assert run(main, "--config", "README.md") == 2
    assert "config file 'README.md' is no Python file: its name must end in .py" in capsys.readouterr().err
