"""Configs: loading a file, changing leaves by dotted names, comparing two, and JSON."""

import ast
import difflib
import importlib.util
import json
import pathlib
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from gan_jax.system.errors import UserError


def choose(table: Mapping[str, Any] | Iterable[str], name: str, knob: str) -> Any:
    """table[name], or a UserError that names the knob and the nearest right names. A plain list returns the name."""
    if name in table:
        return table[name] if isinstance(table, Mapping) else name
    raise UserError(f"{knob}='{name}' is unknown; {near(name, table)}")


def near(name: str, choices: Iterable[str]) -> str:
    """ "did you mean ...?", or all choices if none is similar; for the end of a message."""
    choices = [choice for choice in choices if choice]
    similar = difflib.get_close_matches(name, choices, 3)
    return f"did you mean {' or '.join(similar)}?" if similar else f"choose one of: {', '.join(sorted(choices))}"


def _module(name: str) -> ModuleType:
    path = pathlib.Path(name)
    if not path.is_file():
        found = [str(candidate) for candidate in sorted(pathlib.Path("configs").rglob("[!_]*.py"))]
        raise UserError(f"no config file '{name}'; {near(name, found) if found else 'run from the repository root'}")
    try:
        spec = importlib.util.spec_from_file_location(f"config_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.get_config  # noqa: B018 - a file without it is no config
    except Exception as error:  # A config file is Python: anything can go wrong in it.
        raise UserError(f"config file '{name}' cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def variants(name: str) -> list[str]:
    """The keys of a config file's VARIANTS, "" if it has a default; [] where the file has none."""
    return _variants(_module(name))


def _variants(module: ModuleType) -> list[str]:
    return list(getattr(module, "VARIANTS", {}))


def load(spec: str) -> ConfigDict:
    """The config of `path/to/file.py` or `path/to/file.py:variant`, locked."""
    name, _, variant = spec.partition(":")
    module = _module(name)
    choices = _variants(module)
    if variant and not choices:
        raise UserError(f"{name} has no variants; write --config {name}")
    if not variant and choices and "" not in choices:
        raise UserError(f"{name} holds several configs; write {name}:ONE, with one of: {', '.join(choices)}")
    if variant and variant not in choices:
        raise UserError(f"{name} has no variant '{variant}'; {near(variant, choices)}")
    return module.get_config(*([variant] if variant else [])).lock()


def leaves(config: ConfigDict) -> dict[str, Any]:
    """Every value by its dotted name, sorted."""
    flat = {}
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            flat.update({f"{key}.{rest}": leaf for rest, leaf in leaves(value).items()})
        else:
            flat[key] = value
    return dict(sorted(flat.items()))


def _parse(text: str, kind: type, key: str) -> Any:
    """A command line's text as the type of the value that it replaces."""
    try:
        value = (
            text
            if kind is str
            else ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text, text))
        )
    except (ValueError, SyntaxError) as error:
        raise UserError(f"--config.{key}={text}: expected {_describe(kind)}") from error
    return value


def _describe(kind: type) -> str:
    examples = {bool: "true or false", int: "a whole number", float: "a number", tuple: "a list such as 128,64"}
    # What is None by default is a keyword of an optimizer's rule.
    return examples.get(kind, "a number, or none")


# JAX's whole numbers have 32 bits; its numbers overflow beyond these.
_LARGEST = {int: 2**31, float: 1e38}
# Keywords of an optimizer's rule: None leaves its own default; otherwise they hold a number, or True or False.
RULE_KEYWORDS = ("b1", "b2", "eps", "eps_root", "decay", "momentum", "nesterov")


def _fit(value: Any, old: Any, key: str) -> Any:
    """`value` as the type of `old`; UserError where it is of another one."""
    kind = type(old)
    if key.rsplit(".", 1)[-1] in RULE_KEYWORDS and (old is None or value is None):
        if value is None:
            return None
        kind = bool if key.endswith("nesterov") else float
    if kind is float and type(value) is int and abs(value) < 2**1000:
        value = float(value)
    if type(value) in (int, float) and not abs(value) < _LARGEST[type(value)]:
        raise UserError(f"--config.{key}={str(value)[:40]}: expected {_describe(kind)} that is not as large")
    if kind is tuple and isinstance(value, int | float | list | tuple):
        value = tuple(value) if isinstance(value, list | tuple) else (value,)
        return tuple(_fit(item, old[0], key) for item in value) if old else value
    if type(value) is not kind:
        raise UserError(f"--config.{key}={value}: expected {_describe(kind)}")
    return value


def override(config: ConfigDict, changes: Mapping[str, Any], *, parse: bool = False) -> None:
    """Sets leaves by dotted name, keeping their types; `parse` reads text from a command line."""
    for key, value in changes.items():
        current = leaves(config)
        if key not in current:
            if inside := [leaf for leaf in current if leaf.startswith(f"{key}.")]:
                raise UserError(f"--config.{key} is a section; set one of its leaves: {', '.join(inside)}")
            # Similar names, or else the leaves whose own name ends it: class_target may be some section's target.
            tail = f"_{key.rsplit('.', 1)[-1]}"
            similar = difflib.get_close_matches(key, current, 3) or [
                leaf for leaf in current if tail.endswith(f"_{leaf.rsplit('.', 1)[-1]}")
            ]
            hint = f"did you mean {' or '.join(similar)}?" if similar else "configs/default.py lists every key"
            raise UserError(f"--config.{key} is not a key; {hint}")
        old = current[key]
        config.update_from_flattened_dict({key: _fit(_parse(value, type(old), key) if parse else value, old, key)})


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
    """Lines "key: old -> new" for every leaf that differs."""
    before, after = leaves(old), leaves(new)
    missing = object()
    lines = []
    for key in sorted({*before, *after}):
        a, b = before.get(key, missing), after.get(key, missing)
        if a != b:
            lines.append(
                " -> ".join([f"{key}: {'absent' if a is missing else a}", f"{'absent' if b is missing else b}"])
            )
    return lines


def to_json(config: ConfigDict) -> str:
    return json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n"


def require_same_keys(recorded: ConfigDict, now: ConfigDict) -> None:
    """UserError if the version of this code that recorded a run had other keys than this one."""
    before, after = leaves(recorded), leaves(now)
    if new := after.keys() - before.keys():
        raise _other_version(f"no key '{min(new)}'")
    if gone := before.keys() - after.keys():
        raise _other_version(f"a key '{min(gone)}' that this version lacks")


def _other_version(has: str) -> UserError:
    return UserError(
        f"this run was made by another version of this code: its config.json has {has}; use that version (its run.json "
        "names the commit), or train again in another workdir"
    )


class RecordedConfig(ConfigDict):
    """A config as a run has recorded it: a key that it lacks is one that the code did not have then."""

    def __getitem__(self, key: str) -> Any:
        try:
            return super().__getitem__(key)
        except KeyError:
            if key.startswith("_"):  # Python's own questions, about copying, say.
                raise
            raise _other_version(f"no key '{key}'") from None


def from_json(text: str) -> ConfigDict:
    """The inverse of `to_json`; JSON's lists are this project's tuples."""

    def build(value):
        if isinstance(value, dict):
            return RecordedConfig({key: build(item) for key, item in value.items()})
        return tuple(value) if isinstance(value, list) else value

    return build(json.loads(text)).lock()
