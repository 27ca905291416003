"""Finds a config file: the user's by its path, this project's by its name."""

import difflib
import pathlib

from gan_jax.system.errors import UserError
from gan_jax.system.imports import CONFIGS, ROOT


def own_names() -> list[str]:
    """The names of this project's configs, as --config takes them: cdcgan, ablations/loss, ..."""
    return sorted(file.relative_to(CONFIGS).with_suffix("").as_posix() for file in CONFIGS.rglob("[!_]*.py"))


def find(name: str) -> pathlib.Path:
    """The full path of a config file, or of this project's config of that name; UserError with what to type instead."""
    try:
        path = pathlib.Path(name).expanduser().resolve()
    except RuntimeError as error:  # There is no such user, or no home folder.
        raise UserError(f"no config file '{name}': {error}") from error
    if path.is_file() and path.suffix == ".py":
        return path
    if path.is_file():
        raise UserError(f"config file '{name}' is no Python file: its name must end in .py")
    names, own_name = own_names(), name.removeprefix("configs/").removesuffix(".py")
    if name in names:
        return CONFIGS / f"{name}.py"
    if own_name in names:
        raise UserError(f"no config file '{name}' in this folder; write --config {own_name}")
    raise UserError(f"no config file '{name}' in this folder; {_hint(own_name, names, name.endswith('.py'))}")


def _hint(name: str, names: list[str], as_path: bool) -> str:
    """The similar names, as paths if the user typed a path in the checkout."""
    by_key = {known.rpartition("/")[2]: known for known in names} | {known: known for known in names}
    similar = list(dict.fromkeys(by_key[key] for key in difflib.get_close_matches(name, by_key, 3)))
    if not similar:
        return f"this project's are in {CONFIGS}"
    if as_path and pathlib.Path().resolve() == ROOT:
        similar = [f"configs/{known}.py" for known in similar]
    return f"did you mean --config {' or '.join(similar)}?"
