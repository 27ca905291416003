"""The installable package: its extras, its one command, its layout, and what it can do without any extra."""

import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

import gan_jax
from gan_jax import __main__ as entry
from gan_jax.system import config as configs
from gan_jax.system import config_path, extras
from gan_jax.system.errors import UserError
from tests.tiny import overrides_of, write_idx

PROJECT = tomllib.loads(pathlib.Path("pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
# The extras that the README's two commands need.
OF_REQUIREMENTS = ("tensorboard", "tfds", "stream", "plots", "digits", "search")
# What no extra brings is absent where only the core is installed.
BLOCK = """
import sys
for name in {names!r}:
    sys.modules[name] = None
"""
OPTIONAL = ("clu", "tensorflow", "tensorboard", "tensorflow_datasets", "grain", "matplotlib", "sklearn", "mlxtend")


def requirement_lines(path):
    lines = [line.partition(" #")[0].strip() for line in pathlib.Path(path).read_text().splitlines()]
    return {line.replace('"', "'") for line in lines if line and not line.startswith(("#", "-r"))}


def test_the_extras_have_the_bounds_of_the_requirements():
    listed = {*PROJECT["project"]["dependencies"], *(line for name in OF_REQUIREMENTS for line in EXTRAS[name])}
    assert listed == requirement_lines("requirements.txt")


def test_the_extra_all_is_every_other_one():
    (line,) = EXTRAS["all"]
    assert re.fullmatch(r"gan-jax\[(.*)\]", line)[1].split(",") == [name for name in EXTRAS if name != "all"]


def test_every_extra_that_a_message_names_exists():
    sources = [path.read_text() for path in pathlib.Path("gan_jax").rglob("*.py")]
    named = {name for text in sources for name in re.findall(r"\binstall\([\"'](\w+)[\"']\)", text)}
    named |= {name for text in sources for name in re.findall(r"\brequire\([^\n]*?, \"(\w+)\", \"", text)}
    assert {"tensorboard", "tfds", "stream", "plots", "digits", "hf"} <= named <= set(EXTRAS)


def test_the_configs_are_part_of_the_wheel():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["gan_jax"]
    assert wheel["force-include"] == {"configs": "gan_jax/configs"}


def test_a_missing_library_names_its_extra():
    with pytest.raises(UserError, match=r"^a page needs no_such_library: pip install .*\[plots\]"):
        extras.require("a page", "plots", "json", "no_such_library")
    extras.require("a page", "plots", "json")


def test_configs_have_names():
    names = config_path.own_names()
    assert {"cdcgan", "default", "ablations/loss", "semi_supervised/tuned"} <= set(names)
    assert configs.load("cdcgan").to_dict() == configs.load("configs/cdcgan.py").to_dict()
    assert configs.load("cgan:tuned").to_dict() == configs.load("configs/cgan.py:tuned").to_dict()
    with pytest.raises(UserError, match=r"no config file 'cdgan' in this folder; did you mean --config cdcgan"):
        configs.load("cdgan")


def test_the_command_knows_every_command():
    for module, _ in entry.COMMANDS.values():
        assert callable(importlib.import_module(module).main)
    files = {path.stem for path in pathlib.Path("gan_jax").glob("[!_]*.py") if "cli.execute(main)" in path.read_text()}
    assert files == {module.split(".")[1] for module, _ in entry.COMMANDS.values()} - {"data"}


def python(*arguments, cwd=".", path=".", block=()):
    """(exit code, stdout, stderr) of a Python process that imports gan_jax from the folder `path`."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    environment["PYTHONPATH"] = str(path)
    if block:
        (pathlib.Path(path) / "sitecustomize.py").write_text(BLOCK.format(names=block))
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_importing_the_package_imports_no_library():
    code = "import sys, gan_jax; print(sorted({'jax', 'numpy', 'ml_collections'} & set(sys.modules)))"
    assert python("-c", code) == (0, "[]\n", "")


def test_help_and_mistakes_need_no_library():
    code, out, _ = python("-X", "importtime", "-m", "gan_jax", "--help")
    assert code == 0
    assert all(f"  {name} " in out for name in entry.COMMANDS)
    assert python("-m", "gan_jax", "--version")[1] == f"gan-jax {gan_jax.__version__}\n"
    code, _, error = python("-m", "gan_jax", "trian")
    assert (code, "invalid choice: 'trian'" in error) == (2, True)


@pytest.fixture
def installed(tmp_path):
    """A folder with the package as a wheel installs it."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree("gan_jax", tmp_path / "site" / "gan_jax", ignore=ignore)
    shutil.copytree("configs", tmp_path / "site" / "gan_jax" / "configs", ignore=ignore)
    return tmp_path / "site"


@pytest.mark.thorough
def test_the_core_trains_outside_the_checkout(installed, tmp_path):
    """Without any extra, with a config of the user's that imports one of the package."""
    write_idx(tmp_path / "idx", train=12, test=6)
    (tmp_path / "mine.py").write_text("from configs.cgan import get_config\n")
    common = {"cwd": tmp_path, "path": installed, "block": OPTIONAL}
    arguments = ["--config", "mine.py", "--workdir", "run", *overrides_of("idx")]
    code, out, error = python("-m", "gan_jax", "train", *arguments, **common)
    assert code == 0, error
    assert "no TensorBoard records" in error
    assert "no losses.png: matplotlib is not installed; pip install" in error
    assert "TensorBoard" not in out
    assert (tmp_path / "run" / "metrics.jsonl").is_file()
    assert f'"commit": "version {gan_jax.__version__}"' in (tmp_path / "run" / "run.json").read_text()
    code, _, error = python("-m", "gan_jax", "analyze", "--workdir", "run", **common)
    assert code == 2
    assert error.startswith("error: gan-jax analyze needs matplotlib and sklearn: pip install")
    code, _, error = python("-m", "gan_jax", "train", "--config", "cdcgan", "--config.data.name=mnist_5k", **common)
    assert code == 4
    assert error.count("\n") == 1
    assert "[digits]" in error
