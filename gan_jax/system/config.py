"""Configs: load a file, change leaves by their dotted names, compare two configs, convert to JSON."""

import ast
import contextlib
import difflib
import functools
import importlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from gan_jax.system import config_path, parts
from gan_jax.system.errors import UserError
from gan_jax.system.imports import CONFIGS, ROOT, ambiguous_import, importing


def choose(table: Mapping[str, Any] | Iterable[str], name: str, knob: str) -> Any:
    """table[name], or `name` itself if `table` is a list. UserError with the most similar names if it is unknown."""
    if name in table:
        return table[name] if isinstance(table, Mapping) else name
    raise UserError(f"{knob}='{name}' is unknown; {near(name, table)}")


def near(name: str, choices: Iterable[str]) -> str:
    """The end of an error message: "did you mean ...?", or all choices if none is similar."""
    choices = [choice for choice in choices if choice]
    similar = difflib.get_close_matches(name, choices, 3)
    return f"did you mean {' or '.join(similar)}?" if similar else f"choose one of: {', '.join(sorted(choices))}"


def own(spec: str) -> str:
    """The spec with the full path of one of this project's config files, for example of configs/cgan.py:tuned."""
    return str(ROOT / spec)


_CAN_IMPORT = (
    "it can import a file beside it (import NAME), a config of this project (from configs import NAME), packages"
)


@contextlib.contextmanager
def loaded(name: str, needs_config: bool = True) -> Iterator[ModuleType]:
    """The module of a config file. Inside `with`, its functions can be called; their errors become UserErrors.

    needs_config: whether it must define get_config.
    """
    path = config_path.find(name)
    try:
        if clash := ambiguous_import(path):
            raise UserError(
                f"config file '{name}' imports configs.{clash[0]}, which both {clash[1]} and {CONFIGS} have; "
                f"write `import {clash[0].rpartition('.')[2]}` for a file beside it, or rename it"
            )
        with importing(path):
            spec = importlib.util.spec_from_file_location(f"config_{path.stem}", path)
            module = importlib.util.module_from_spec(spec)
            with parts.registering(path):
                spec.loader.exec_module(module)
            if needs_config:
                module.get_config  # noqa: B018 - fails if the file defines no config
            yield module
    except UserError:
        raise
    except Exception as error:  # A config file is Python code, so any error is possible.
        hint = f"; {_CAN_IMPORT}" if isinstance(error, ImportError) else ""
        raise UserError(f"config file '{name}' cannot be loaded: {type(error).__name__}: {error}{hint}") from error


def load_parts(name: str) -> None:
    """Executes a file that registers parts; it may be a config file, whose config is not used."""
    with loaded(name, needs_config=False):
        pass


def variants(name: str) -> list[str]:
    """The keys of a config file's VARIANTS, with "" among them if it has a default; [] if it has no variants."""
    with loaded(name) as module:
        return _variants(module)


def _variants(module: ModuleType) -> list[str]:
    return list(getattr(module, "VARIANTS", {}))


def split_spec(spec: str) -> tuple[str, str]:
    """(file, variant) of `path/to/file.py` or `path/to/file.py:variant`. The path may contain colons."""
    if spec.endswith(".py"):
        return spec, ""
    name, _, variant = spec.rpartition(":")
    return (name, variant) if name else (spec, "")


def load(spec: str) -> ConfigDict:
    """The config of `path/to/file.py[:variant]`, or one of this project's by its name (`cgan:tuned`), locked."""
    name, variant = split_spec(spec)
    with loaded(name) as module:
        choices = _variants(module)
        if variant and not choices:
            raise UserError(f"{name} has no variants; write --config {name}")
        if not variant and choices and "" not in choices:
            raise UserError(f"{name} contains several configs; write {name}:ONE, with one of: {', '.join(choices)}")
        if variant and variant not in choices:
            raise UserError(f"{name} has no variant '{variant}'; {near(variant, choices)}")
        config = module.get_config(*([variant] if variant else [])).lock()
    known = leaves(defaults()).keys()
    if unknown := [key for key in leaves(config) if key not in known and not parts.is_key(key)]:
        raise UserError(f"{name} sets '{unknown[0]}', which configs/default.py lacks; {near(unknown[0], known)}")
    return config


def defaults() -> ConfigDict:
    """The default config, which has every key. It imports the terms of the losses, so it is imported only here."""
    with importing(ROOT / "configs" / "default.py"):
        return importlib.import_module("configs.default").get_config()


def leaves(config: ConfigDict) -> dict[str, Any]:
    """The value of every leaf by its dotted name, sorted by name."""
    flat = {}
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            flat.update({f"{key}.{name}": leaf for name, leaf in leaves(value).items()})
        else:
            flat[key] = value
    return dict(sorted(flat.items()))


# Leaves that are a number, or a text with colons that says how the number changes (gan/values.py).
_CHANGING_SECTIONS = ("d_loss.", "g_loss.")
_CHANGING = ("b1", "b2", "ema_half_life", "probability", "pseudo", "g_top_share")
ADAPTIVE = "adaptive"


def may_change(key: str) -> bool:
    """Whether a leaf can be a schedule."""
    return key.startswith(_CHANGING_SECTIONS) or key.rsplit(".", 1)[-1] in _CHANGING


def adaptive_leaves(config: ConfigDict) -> dict[str, str]:
    """The leaves whose number follows D's outputs."""
    return {key: value for key, value in _changing_leaves(config).items() if is_adaptive(value)}


def scheduled_leaves(config: ConfigDict) -> dict[str, str]:
    """The leaves whose number depends on the step and on the length of the run."""
    return {key: value for key, value in _changing_leaves(config).items() if not is_adaptive(value)}


def _changing_leaves(config: ConfigDict) -> dict[str, str]:
    return {key: value for key, value in leaves(config).items() if may_change(key) and isinstance(value, str)}


def is_adaptive(setting: Any) -> bool:
    """Whether a number follows D's outputs."""
    return isinstance(setting, str) and setting.startswith(ADAPTIVE)


def _parse(text: str, kind: type, key: str) -> Any:
    """The value of a text from the command line. kind: the type of the value that it replaces."""
    try:
        value = (
            text
            if (":" in text if may_change(key) else kind is str)
            else ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text, text))
        )
    except (ValueError, SyntaxError) as error:
        raise UserError(f"--config.{key}={text}: expected {_describe(kind)}") from error
    return value


def _describe(kind: type) -> str:
    examples = {bool: "true or false", int: "a whole number", float: "a number", tuple: "a list such as 128,64"}
    # The default is None, which only keywords of an optimizer's rule have.
    return examples.get(kind, "a number, or none")


# JAX's integers have 32 bits. Its float32 overflows soon after this number.
_LARGEST = {int: 2**31, float: 1e38}
# Keywords of an optimizer's rule: None means the rule's own default. Any other value is a number, True or False.
RULE_KEYWORDS = ("b1", "b2", "eps", "eps_root", "decay", "momentum", "nesterov")
_OPTIONAL = (*RULE_KEYWORDS, "ema_half_life", "probability", "pseudo", "g_top_share")  # leaves that can be None


def _fit(value: Any, old: Any, key: str) -> Any:
    """`value`, converted to the type of `old`; UserError if it has another type."""
    kind = type(old)
    if may_change(key):
        if isinstance(value, str):
            return value
        kind = float if kind is str else kind
    if key.rsplit(".", 1)[-1] in _OPTIONAL and (old is None or value is None):
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
    """Sets leaves by their dotted names and keeps their types. parse: the values are text from a command line."""
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
            hint = f"did you mean {' or '.join(similar)}?" if similar else f"{CONFIGS / 'default.py'} lists every key"
            raise UserError(f"--config.{key} is not a key; {hint}")
        old = current[key]
        value = _fit(_parse(value, type(old), key) if parse else value, old, key)
        # A leaf that may change can become a number or a text. Types are ignored in its section alone, for speed.
        section = functools.reduce(lambda part, name: part[name], key.split(".")[:-1], config)
        with section.ignore_type() if may_change(key) else contextlib.nullcontext():
            config.update_from_flattened_dict({key: value})


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
    """One line "key: old -> new" for every leaf that differs."""
    old_leaves, new_leaves = leaves(old), leaves(new)
    missing = object()

    def shown(value: Any) -> str:
        return "absent" if value is missing else f"{value}"

    lines = []
    for key in sorted({*old_leaves, *new_leaves}):
        before, after = old_leaves.get(key, missing), new_leaves.get(key, missing)
        if before != after:
            lines.append(f"{key}: {shown(before)} -> {shown(after)}")
    return lines


def to_json(config: ConfigDict) -> str:
    return json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n"
