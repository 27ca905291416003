"""Parts that a user's own file adds to this project's: objectives, terms, networks, activations, data sources.

A part is an entry in the table of its room, like the parts of this project, so every check of a config applies to it.
This file remembers which entries are the user's. They last as long as the process, and change no run whose config does
not name them.
"""

import contextlib
import inspect
import os
import pathlib
import re
from collections.abc import Collection, Iterable, Iterator, MutableMapping
from typing import Any

from ml_collections import ConfigDict

from gan_jax.system.errors import UserError

# kind -> the leaves of a config that name a part of this kind; terms are the keys of their sections instead.
_LEAVES = {
    "objective": ("objective",),
    "network": ("generator.family", "discriminator.family"),
    "activation": ("generator.activation", "discriminator.activation"),
    "data source": ("data.name",),
}
_TERM_SECTIONS = ("d_loss", "g_loss")
KINDS = (*_LEAVES, "term")
# The files that have registered parts are named to child processes by this environment variable; they load them first.
FILES_VARIABLE = "GAN_JAX_PARTS"
_files: list[str] = []
_registered: dict[tuple[str, str], tuple[str, MutableMapping]] = {}  # (kind, name) -> (its source text, its table)


def _source(definitions: Iterable[Any]) -> str:
    """The text of the functions and classes that define a part; other values by their repr."""
    texts = []
    for definition in definitions:
        try:
            texts.append(inspect.getsource(definition))
        except (OSError, TypeError):  # Typed at a prompt, made by a program, or no function.
            code = getattr(definition, "__code__", None)
            texts.append(f"{code.co_code!r} {code.co_consts!r}" if code else repr(definition))
    return "\n".join(texts)


def register(
    kind: str, name: str, table: MutableMapping, part: Any, definitions: Iterable[Any], taken: Collection[str] = ()
) -> None:
    """table[name] = part. UserError if the name has another definition, or is one of this project's parts.

    definitions: what is compared: a config file that is loaded twice defines the same part twice, which is accepted.
    taken: further names that the part cannot have.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"{kind} '{name}': write a name of small letters, digits and _, such as my_{kind.split()[-1]}")
    source, known = _source(definitions), _registered.get((kind, name))
    if known and known[0] != source:
        raise UserError(
            f"{kind} '{name}' is registered with another definition; choose another name, or first call "
            f"gan_jax.unregister('{kind}', '{name}')"
        )
    if not known and (name in table or name in taken):
        raise UserError(f"{kind} '{name}' is one of gan_jax's own; choose another name")
    table[name] = part
    _registered[kind, name] = (source, table)


def unregister(kind: str, name: str) -> None:
    """Removes a part that was registered, for example to define it anew in a notebook."""
    if (kind, name) not in _registered:
        known = ", ".join(f"{kind} '{name}'" for kind, name in sorted(_registered)) or "none"
        raise UserError(f"no {kind} '{name}' is registered; registered are: {known}")
    del _registered.pop((kind, name))[1][name]


def is_registered(kind: str, name: str) -> bool:
    return (kind, name) in _registered


@contextlib.contextmanager
def registering(path: pathlib.Path) -> Iterator[None]:
    """Inside `with`, the file `path` is executed; it is remembered if it registers a part."""
    before = set(_registered)
    yield
    if set(_registered) != before and str(path) not in _files:
        _files.append(str(path))


def environment() -> dict[str, str]:
    """The environment variable for child processes; {} if no file has registered a part."""
    return {FILES_VARIABLE: os.pathsep.join(_files)} if _files else {}


def is_key(key: str) -> bool:
    """Whether a dotted key of a config is the weight or a knob of a registered term: the default config lacks it."""
    section, _, name = key.partition(".")
    return section in (*_TERM_SECTIONS, "terms") and is_registered("term", name.partition(".")[0])


def used(config: ConfigDict) -> list[str]:
    """The registered parts that a config names, as "kind name", sorted."""
    leaves = config.to_dict()
    named = {("term", name) for section in _TERM_SECTIONS for name in leaves[section]}
    for kind, keys in _LEAVES.items():
        for key in keys:
            section, _, leaf = key.rpartition(".")
            named.add((kind, (leaves[section] if section else leaves)[leaf]))
    return sorted(f"{kind} {name}" for kind, name in named & _registered.keys())


def require(recorded: Iterable[str], path: Any) -> None:
    """UserError if a part that a run was trained with is not registered. recorded: a result of `used`."""
    now = {f"{kind} {name}" for kind, name in _registered}
    if missing := [part for part in recorded if part not in now]:
        raise UserError(
            f"the run in {path} was trained with parts of another file: {', '.join(missing)}. Name that file: "
            "--parts FILE.py; in a program, import it before gan_jax.load"
        )
