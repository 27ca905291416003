"""Which runs a choice of studies needs: arms, their resolved configs, and the hashes by which equal ones are known."""

import hashlib
import importlib
import pathlib
from types import ModuleType
from typing import NamedTuple

from ml_collections import ConfigDict

from configs import ablations
from configs import study as studies
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError

STUDIES = tuple(sorted(path.stem for path in pathlib.Path(ablations.__file__).parent.glob("[!_]*.py")))
SCORES = 10  # validation scores of a run


class Arm(NamedTuple):
    """One arm of a study on one base; config: resolved, with the runner's overrides, of any seed."""

    study: str
    base: str
    name: str
    overrides: dict
    config: ConfigDict
    hash: str

    @property
    def label(self) -> str:
        return f"{self.study}:{studies.variant_name(self.name, self.base)}"

    @property
    def spelled(self) -> str:
        return f"configs/ablations/{self.study}.py:{studies.variant_name(self.name, self.base)}"


def module(study: str) -> ModuleType:
    """A study's file."""
    return importlib.import_module(f"configs.ablations.{study}")


def length(base: ConfigDict, arm: ConfigDict, steps: int) -> int:
    """Generator updates of an arm where its base makes `steps`: at equal images where the base is that long."""
    if not base.num_epochs:
        return steps
    return max(round(steps * base.batch_size * base.d_steps / (arm.batch_size * arm.d_steps)), 1)


def resolved(base: ConfigDict, arm: ConfigDict, steps: int, shared: dict) -> ConfigDict:
    """The config of an arm's runs. `shared`: overrides for all of them alike, on data and scores."""
    updates = length(base, arm, steps)
    every = max(updates // SCORES, 1)
    changes = {
        "num_epochs": 0,
        "num_steps": updates,
        "eval.every_steps": every,
        "eval.at_end": False,
        "log_every_steps": max(min(updates // 100, 10), 1),
        "sample_every_steps": every,
        # A score saves the state with it: that is often enough.
        "checkpoint_every_steps": 0,
        "keep_checkpoints": 1,
    }
    if arm.discriminator.noise_fade_updates:
        # As a share of the run, about what it is in the tutorial's: at the study's number a short run would not fade.
        changes["discriminator.noise_fade_updates"] = max(updates * arm.d_steps // 2, 1)
    configs.override(arm, changes | shared)
    return arm


def run_hash(config: ConfigDict) -> str:
    """8 hexadecimal digits that name a config whatever its seed is, and the devices that it runs on."""
    table = config.to_dict()
    del table["seed"], table["num_seeds"], table["mesh"]
    return hashlib.sha256(configs.to_json(ConfigDict(table)).encode()).hexdigest()[:8]


def arms_of(study: str, base: str, steps: int, shared: dict) -> list[Arm]:
    """The arms of a study on one of its bases."""
    found, source = [], module(study)
    for name, config in studies.arms(source, base).items():
        config = resolved(studies.BASES[base](), config, steps, shared)
        found.append(Arm(study, base, name, source.ARMS[name], config, run_hash(config)))
    return found


def check(names: tuple[str, ...], bases: tuple[str, ...]) -> None:
    """UserError for a name that no study or base has."""
    for base in bases:
        configs.choose(list(studies.BASES), base, "--bases")
    for name in names:
        configs.choose(STUDIES, name, "--studies")


def plan(names: tuple[str, ...], bases: tuple[str, ...], steps: int, shared: dict) -> list[Arm]:
    """Every arm of the studies on those of the bases that they have; UserError where none has one."""
    check(names, bases)
    pairs = [(name, base) for name in names for base in module(name).BASELINE if base in bases]
    if not pairs:
        having = sorted({base for name in names for base in module(name).BASELINE})
        raise UserError(f"--bases={','.join(bases)}: {','.join(names)} is on {' and '.join(having)} only")
    return [arm for name, base in pairs for arm in arms_of(name, base, steps, shared)]


def distinct(arms: list[Arm]) -> dict[str, Arm]:
    """hash -> the first arm that is this run."""
    found = {}
    for arm in arms:
        found.setdefault(arm.hash, arm)
    return found
