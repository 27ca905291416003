"""The search space: config leaves and their values, written KEY=a|b|c, KEY=low..high or KEY=low..high:log."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import optuna
from ml_collections import ConfigDict

from gan_jax.system import config as configs
from gan_jax.system.errors import UserError

_RANGE = re.compile(r"(?P<low>[-+\d.eE]+?)\.\.(?P<high>[-+\d.eE]+)(?P<log>:log)?")


class Leaf(NamedTuple):
    """One dimension of the space: a list of choices, or a range.

    keys: the leaves that get the same value.
    choices: the texts of a list; () for a range.
    low, high, log: of a range; log: sampled by its logarithm.
    whole: whether the range is of whole numbers.
    """

    keys: tuple[str, ...]
    choices: tuple[str, ...] = ()
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    whole: bool = False

    @property
    def name(self) -> str:
        return ",".join(self.keys)

    @property
    def text(self) -> str:
        if self.choices:
            return f"{self.name} in {', '.join(self.choices)}"
        return f"{self.name} from {self.low:g} to {self.high:g}{', by its logarithm' if self.log else ''}"


def _changed(config: ConfigDict, changes: dict[str, str]) -> ConfigDict:
    copy = ConfigDict(config.to_dict()).lock()
    configs.override(copy, changes, parse=True)
    return copy


def _range(keys: tuple[str, ...], match: re.Match, config: ConfigDict, word: str) -> Leaf:
    try:
        low, high = float(match["low"]), float(match["high"])
    except ValueError:
        raise UserError(f"'{word}': a range is written low..high, as 1e-4..1e-2") from None
    now = configs.leaves(config)[keys[0]]
    if isinstance(now, str | bool | tuple):
        raise UserError(f"'{word}': expected a list as a|b|c, since {keys[0]} is no number")
    log, whole = bool(match["log"]), type(now) is int
    if not low < high or (log and low <= 0) or (whole and not (low.is_integer() and high.is_integer())):
        kind = "whole numbers, " if whole else ""
        raise UserError(f"'{word}': a range needs {kind}low < high{', above 0 for :log' if log else ''}")
    return Leaf(keys, low=low, high=high, log=log, whole=whole)


def _text(value: float, whole: bool) -> str:
    return str(int(value)) if whole else repr(float(value))


def parse(word: str, config: ConfigDict) -> Leaf:
    """Parses one argument; UserError if `config` has no such key or does not accept a value."""
    name, equals, values = word.partition("=")
    keys = tuple(key.removeprefix("--config.") for key in name.split(","))
    if not equals or not values:
        raise UserError(f"'{word}' is not understood; write KEY=a|b|c, KEY=low..high or KEY=low..high:log")
    if match := _RANGE.fullmatch(values):
        # First raises the error for an unknown key.
        _changed(config, {key: str(configs.leaves(config).get(key, "0")) for key in keys})
        leaf = _range(keys, match, config, word)
        ends = [_text(end, leaf.whole) for end in (leaf.low, leaf.high)]
    else:
        ends = values.split("|")
        if len(set(ends)) < 2 or len(set(ends)) < len(ends):
            raise UserError(f"'{word}': a list needs two or more different values, as a|b|c")
        leaf = Leaf(keys, tuple(ends))
    for end in ends:
        _changed(config, dict.fromkeys(keys, end))
    return leaf


def check(leaves: Sequence[Leaf]) -> None:
    """UserError if a key is given twice, or if there is no key."""
    keys = [key for leaf in leaves for key in leaf.keys]
    if repeated := sorted({key for key in keys if keys.count(key) > 1}):
        raise UserError(f"{', '.join(repeated)} is given twice; give each key once")
    if not keys:
        raise UserError("name at least one leaf to search, as 'd_optimizer.learning_rate=1e-4..1e-2:log'")


def suggest(trial: optuna.Trial, leaves: Sequence[Leaf]) -> dict[str, str]:
    """key -> text of the value that a trial tries."""
    changes = {}
    for leaf in leaves:
        if leaf.choices:
            text = trial.suggest_categorical(leaf.name, leaf.choices)
        elif leaf.whole:
            text = str(trial.suggest_int(leaf.name, int(leaf.low), int(leaf.high), log=leaf.log))
        else:
            text = repr(trial.suggest_float(leaf.name, leaf.low, leaf.high, log=leaf.log))
        changes.update(dict.fromkeys(leaf.keys, text))
    return changes


def grid(leaves: Sequence[Leaf]) -> dict[str, tuple[str, ...]]:
    """leaf -> its values; UserError for a range, which has no list of values."""
    for leaf in leaves:
        if not leaf.choices:
            raise UserError(f"--sampler=grid needs lists: write {leaf.name}=a|b|c instead of a range")
    return {leaf.name: leaf.choices for leaf in leaves}


def size(leaves: Sequence[Leaf]) -> int:
    """The number of points of a grid."""
    return math.prod(map(len, grid(leaves).values()))
