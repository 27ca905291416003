"""Commands that are started from another folder, and configs that stand there."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from gan_jax import cli
from gan_jax.system import config as configs
from gan_jax.system import imports
from gan_jax.system.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]
MINE = "from configs import cdcgan\nimport base\n\n\ndef get_config():\n    return base.change(cdcgan.get_config())\n"
BASE = "def change(config):\n    config.batch_size = 7\n    return config\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of the user's, in which the test runs. PYTHONPATH and PYTHONSAFEPATH are as they were afterwards."""
    for name in ("PYTHONPATH", "PYTHONSAFEPATH"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def started(*arguments):
    """Exit code and stderr of a command in the current folder."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stderr


# allennlp 1251: a command or a config in another folder than the code's.
def test_a_command_is_started_by_its_path(folder):
    code, error = started(ROOT / "gan_jax" / "main.py", "--config", "configs/cdcgan.py")
    assert code == 2
    assert error.splitlines()[-1] == ("error: no config file 'configs/cdcgan.py' in this folder; write --config cdcgan")
    code, error = started(ROOT / "gan_jax" / "main.py", "--config", ROOT / "configs" / "cdcgan.py", "--config.seeed=1")
    assert code == 2
    assert "--config.seeed is not a key; did you mean seed" in error


def test_every_command_can_be_started_by_its_path():
    files = [*(ROOT / "gan_jax").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]
    commands = [file for file in files if "\n    cli.execute(main)" in file.read_text() and file.stem != "one_run"]
    assert len(commands) > 10
    for file in commands:
        (level,) = re.findall(r"\nif not __package__:.*\n    sys.path\[0\] = .*parents\[(\d)\]\)\n", file.read_text())
        assert file.parents[int(level)] == ROOT, file


def test_children_find_the_same_code(folder):
    write(folder / "gan_jax" / "__init__.py", "raise SystemExit('the wrong code')")
    code = "import subprocess, sys; sys.path[0] = sys.argv[1]; from gan_jax import cli; cli.execute("
    code += "lambda: sys.exit(subprocess.run([sys.executable, '-m', 'experiments.jobs.clock']).returncode))"
    assert started("-c", code, ROOT) == (0, "")


def test_a_mistyped_config_of_another_folder(folder):
    with pytest.raises(UserError, match="did you mean --config cdcgan"):
        configs.load("configs/cdcgn.py")
    with pytest.raises(UserError, match="this project's are in"):
        configs.load("experiment-5.py")


def test_a_config_imports_its_neighbour(folder):
    """Each config has the neighbour beside it, in one process too."""
    for number, name in ((7, "one"), (8, "other")):
        write(folder / name / "base.py", BASE.replace("7", str(number)))
        write(folder / name / "mine.py", MINE)
        assert configs.load(f"{name}/mine.py").batch_size == number
    assert "base" not in sys.modules
    assert str(folder / "one") not in sys.path


@pytest.mark.parametrize("inits", [True, False])
def test_a_folder_of_the_user_is_named_configs(folder, monkeypatch, inits):
    """Ours is imported by our configs; the user's own files are found beside the config and as configs.NAME."""
    monkeypatch.syspath_prepend(folder)
    if inits:
        write(folder / "configs" / "__init__.py", "raise RuntimeError('the wrong configs')")
    write(folder / "configs" / "base.py", BASE)
    write(folder / "configs" / "mine.py", MINE)
    write(folder / "configs" / "deep" / "other.py", MINE.replace("import base", "from configs import base"))
    for spec in ("configs/mine.py", "configs/deep/other.py"):
        assert configs.load(spec).batch_size == 7
    assert not hasattr(sys.modules["configs"], "base")
    assert configs.load(configs.own("configs/cgan.py")).batch_size != 7


def test_a_name_that_both_folders_have_is_refused(folder):
    write(folder / "configs" / "default.py", "")
    write(folder / "configs" / "mine.py", "from configs.default import get_config")
    with pytest.raises(UserError, match="imports configs.default, which both .* write `import default`"):
        configs.load("configs/mine.py")
    write(folder / "configs" / "cdcgan.py", "from default import get_config")
    with pytest.raises(UserError, match="ImportError: cannot import name 'get_config'"):
        configs.load("configs/cdcgan.py")


def test_another_package_named_configs_that_is_imported_already(folder, monkeypatch):
    write(folder / "somewhere" / "configs" / "__init__.py", "mark = 1")
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "configs"}
    for name in ours:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(folder / "somewhere")
    import configs as another

    assert another.mark == 1
    assert cli.parse_config(str(ROOT / "configs" / "cgan.py"), []).seed == 0
    assert sys.modules["configs"] is another
    assert imports.use_own_configs() == {"configs": another}
    assert not hasattr(sys.modules["configs"], "mark")
    for name in [name for name in sys.modules if name.partition(".")[0] == "configs"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "line", ["from .base import change", "import no_such_neighbour", "from configs import nothing"]
)
def test_an_import_that_fails_is_one_line(folder, line):
    write(folder / "mine.py", line)
    with pytest.raises(UserError, match="can import a file beside it .import NAME., a config of this project"):
        configs.load("mine.py")


def test_an_error_of_get_config_is_one_line(folder):
    write(folder / "mine.py", "def get_config():\n    return no_such_name")
    with pytest.raises(UserError, match="'mine.py' cannot be loaded: NameError"):
        configs.load("mine.py")


def test_a_config_in_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    write(folder / "mine.py", "from configs.cgan import get_config")
    assert configs.load("~/mine.py").seed == 0
