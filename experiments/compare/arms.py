"""The arms of a comparison: the base config, and each change to it that was typed."""

import re
from typing import NamedTuple

from ml_collections import ConfigDict

from experiments.ablations import plan
from experiments.compare.sequential import BASE
from gan_jax import build
from gan_jax.data.dataset import Dataset
from gan_jax.evaluation.instance_selection import num_kept
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training.check import check

# Settings of the data that an arm may change, since the test images stay the same.
_OF_TRAINING = (
    "data.keep_share",
    "data.keep_features",
    "data.num_labels",
    "data.num_label_subsets",
    "data.stream",
)
_NAMED = re.compile(r"^([^:=/]+):\s*(\S+=.*|\S.*\.py(?::\w+)?)$", re.DOTALL)


class Arm(NamedTuple):
    """One arm. typed: the words of the command; hash: equal for arms with equal configs."""

    name: str
    typed: str
    config: ConfigDict
    hash: str


def _words(text: str) -> dict[str, str]:
    """The overrides of a text such as "generator.norm=none discriminator.norm=none"."""
    changes = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"'{word}' in '{text}': an arm is key=value, several of them in quotes, or a config file")
        changes[key.removeprefix("--config.")] = value
    return changes


def _changed(base: ConfigDict, text: str) -> ConfigDict:
    config = ConfigDict(base.to_dict())
    configs.override(config, _words(text), parse=True)
    return config


def _arm(base: ConfigDict, shared: str, typed: str) -> tuple[str, ConfigDict]:
    """(name, config) of a typed arm: overrides of the base, or a config file with the shared overrides."""
    name, text = typed, typed
    if match := _NAMED.match(typed):
        name, text = match[1], match[2]
    if "=" in text:
        return name, _changed(base, text)
    if not re.search(r"\.py(:\w+)?$", text):
        raise UserError(f"'{text}' is no arm: write key=value, several of them in quotes, or a config file")
    return name, _changed(ConfigDict(configs.load(configs.own(text)).to_dict()), shared)


def parse(spec: str, shared: str, typed: list[str]) -> list[Arm]:
    """The base and the arms; UserError for an arm that changes nothing, twice the same arm, or a bad key or value.

    shared: overrides of the base and of arms that are config files, such as the data.
    """
    base = _changed(ConfigDict(configs.load(configs.own(spec)).to_dict()), shared)
    arms = {BASE: Arm(BASE, spec, base, plan.run_hash(base))}
    for text in typed:
        name, config = _arm(base, shared, text)
        if name in arms:
            raise UserError(f"two arms are called '{name}'; write NAME: before one of them")
        arm = Arm(name, text, config, plan.run_hash(config))
        for other in arms.values():
            if other.hash == arm.hash:
                raise UserError(f"'{text}' is the same config as {other.name}: a comparison would find nothing")
        arms[name] = arm
    return list(arms.values())


def checked(arms: list[Arm], dataset: Dataset) -> list[Arm]:
    """The arms with the intervals of their records, which follow from their length.

    UserError for an arm that cannot be trained on these data, or that has other data than the base.
    """
    resolved = []
    for arm in arms:
        changed = [leaf for leaf, _, _ in changes(arms[0], arm) if leaf.startswith("data.")]
        if other := [leaf for leaf in changed if leaf not in _OF_TRAINING]:
            raise UserError(f"{arm.name} changes {other[0]}: scores on different images cannot be compared")
        config = ConfigDict(arm.config.to_dict())
        total = build.num_steps(config, num_kept(config.data, dataset.train.labels))
        configs.override(config, plan.intervals(total))
        check(config, dataset, build.build(config, dataset.image_shape, dataset.num_classes, total))
        resolved.append(arm._replace(config=config.lock(), hash=plan.run_hash(config)))
    return resolved


def changes(base: Arm, arm: Arm) -> list[tuple[str, str, str]]:
    """(leaf, its value in the base, in the arm) of every leaf that differs, without the intervals of records."""
    before, after = configs.leaves(base.config), configs.leaves(arm.config)
    skipped = set(plan.intervals(1))
    return [(k, str(before[k]), str(after[k])) for k in before if before[k] != after[k] and k not in skipped]
