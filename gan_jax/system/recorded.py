"""Configs that were recorded: read as the code of today names and completes them, also those of older versions.

A key that an older config lacks gets the value that repeats what that version did: its default, or its entry in
AS_BEFORE. So a new key makes no recorded run unreadable.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from ml_collections import ConfigDict

from gan_jax.system import parts
from gan_jax.system.config import defaults, leaves
from gan_jax.system.errors import UserError

# Keys that older versions lack, and whose default changes what these versions did: the value that repeats it.
AS_BEFORE = {"data.resize": "stretch"}
# Keys of older versions, by the names that they had.
RENAMED = {
    "guard.spread": "guard.pixel_std",
    **{
        f"{network}.{old}": f"{network}.{new}"
        for network in ("generator", "discriminator")
        for old, new in {"weight": "kernel_norm", "average_decay": "ema_decay"}.items()
    },
}
# Keys that say where and how often a config is trained, and who else gets its records.
OF_PLACE = ("seed", "num_seeds", "mesh", "records")


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of a tree of JSON by their dotted names of today. Lists become tuples."""
    found = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}.")
        else:
            found[RENAMED.get(name, name)] = tuple(value) if isinstance(value, list) else value
    return found


def from_tree(tree: Mapping[str, Any]) -> ConfigDict:
    """The config of a tree of JSON, with every key of the default config. UserError for a key that it does not have."""
    config, recorded = defaults(), flat(tree)
    registered = {key for key in recorded if parts.is_key(key)}
    if unknown := recorded.keys() - leaves(config).keys() - registered:
        raise _other_version(f"a key '{min(unknown)}' that this version lacks")
    with config.unlocked():
        for key in registered:
            section, name, *knob = key.split(".")
            config.update({section: {name: {knob[0]: recorded[key]} if knob else recorded[key]}})
    try:
        config.update_from_flattened_dict(AS_BEFORE | recorded)
    except TypeError as error:
        raise _other_version(f"a value of another type ({error})") from error
    return config


def _other_version(difference: str) -> UserError:
    return UserError(
        f"this run was made by another version of this code: its config.json has {difference}; use that version "
        "(its run.json names the commit), or train again in another workdir"
    )


def from_json(text: str) -> ConfigDict:
    """The inverse of `to_json`, for the texts of older versions, too."""
    return from_tree(json.loads(text))


def section(name: str, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded section with every key of today. name: of a section without sections."""
    return from_tree({name: recorded})[name].to_dict()


def lacking(tree: Mapping[str, Any]) -> set[str]:
    """The keys of today that a recorded config lacks."""
    return leaves(defaults()).keys() - flat(tree).keys()


def changed_leaves(config: ConfigDict, ignored: Collection[str] = OF_PLACE) -> dict[str, Any]:
    """The leaves that differ from the default config, without those in `ignored`."""
    default = leaves(defaults())
    return {
        name: value
        for name, value in leaves(config).items()
        if name not in ignored and (name not in default or value != default[name])
    }


def digest(config: ConfigDict, ignored: Collection[str] = OF_PLACE) -> str:
    """64 hexadecimal digits of the differences from the default config: a new key changes no digest."""
    return hashlib.sha256(json.dumps(changed_leaves(config, ignored)).encode()).hexdigest()
