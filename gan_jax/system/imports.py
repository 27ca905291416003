"""What a config file can import, wherever a command is started: the files beside it, and this project's `configs`.

The configs are in the checkout, beside gan_jax/; in an installed package they are in gan_jax/configs.
"""

import ast
import contextlib
import importlib.util
import os
import pathlib
import sys
from collections.abc import Iterator
from types import ModuleType

_NAME = "configs"
_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
ROOT = _PACKAGE.parent  # of a checkout: the folder of gan_jax/ and configs/
IS_INSTALLED = (_PACKAGE / _NAME).is_dir()
CONFIGS = (_PACKAGE if IS_INSTALLED else ROOT) / _NAME


def share_with_children() -> None:
    """Sets environment variables such that child processes (python -m ...) find this code, in any folder.

    An installed package is found anyway.
    """
    if IS_INSTALLED:
        return
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(ROOT) not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), *paths]))
    if os.getcwd() not in sys.path:  # Otherwise children would first look for this code in the current folder.
        os.environ["PYTHONSAFEPATH"] = "1"


def use_own_configs() -> dict[str, ModuleType]:
    """Makes `configs` this project's package; returns the modules of another package of that name, now replaced."""
    if CONFIGS in (pathlib.Path(path).resolve() for path in getattr(sys.modules.get(_NAME), "__path__", ())):
        return {}
    others = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == _NAME}
    for name in others:
        del sys.modules[name]
    spec = importlib.util.spec_from_file_location(_NAME, CONFIGS / "__init__.py")
    sys.modules[_NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[_NAME])
    return others


def _is_inside(module: ModuleType, folders: list[pathlib.Path]) -> bool:
    file = getattr(module, "__file__", None)
    return bool(file) and any(folder in pathlib.Path(file).parents for folder in folders)


def _forget(names: set[str]) -> None:
    for name in names:
        module, (parent, _, child) = sys.modules.pop(name), name.rpartition(".")
        if getattr(sys.modules.get(parent), child, None) is module:
            delattr(sys.modules[parent], child)


@contextlib.contextmanager
def importing(path: pathlib.Path) -> Iterator[None]:
    """Inside `with`, the config file `path` can be executed: Python finds the files beside it, and our `configs`.

    If the file is inside another folder named configs, `from configs import name` also finds the files of that folder.
    Afterwards, the files beside it are forgotten, so that the next config file gets its own ones.
    """
    others, package = use_own_configs(), sys.modules[_NAME]
    folders = [] if CONFIGS in path.parents else [path.parent, *_folder_named_configs(path)]
    known, search_path, package_path = set(sys.modules), list(sys.path), list(package.__path__)
    sys.path[:0] = map(str, folders[:1])
    package.__path__.extend(map(str, folders[1:]))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:], package.__path__[:] = search_path, package_path
        _forget({name for name in set(sys.modules) - known if _is_inside(sys.modules[name], folders)})
        if others:
            _forget({name for name in sys.modules if name.partition(".")[0] == _NAME})
            sys.modules.update(others)


def _folder_named_configs(path: pathlib.Path) -> list[pathlib.Path]:
    """[the nearest folder above `path` that is named configs]; [] if there is none."""
    return [folder for folder in path.parents if folder.name == _NAME][:1]


def ambiguous_import(path: pathlib.Path) -> tuple[str, pathlib.Path] | None:
    """(name, folder) of an import `configs.<name>` that `folder`, the configs folder of `path`, and ours both have."""
    if CONFIGS in path.parents:
        return None
    for folder in _folder_named_configs(path):
        for name in _imported(ast.parse(path.read_bytes(), path)):
            if all((parent / name.replace(".", "/")).with_suffix(".py").is_file() for parent in (folder, CONFIGS)):
                return name, folder
    return None


def _imported(module: ast.Module) -> list[str]:
    """The names <name> of all imports `configs.<name>` in a module."""
    names = []
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name.removeprefix(f"{_NAME}.") for name in names if name.startswith(f"{_NAME}.")]
