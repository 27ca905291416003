"""The runs of the chosen studies: arms, their resolved configs, and hashes by which equal configs are found."""

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
    """One arm of a study on one base. config: resolved, with the runner's overrides, the same for all seeds."""

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
    def is_baseline(self) -> bool:
        """Whether the other arms of the study are compared with this one."""
        return self.name == module(self.study).BASELINE[self.base]

    @property
    def config_spec(self) -> str:
        return f"configs/ablations/{self.study}.py:{studies.variant_name(self.name, self.base)}"


def module(study: str) -> ModuleType:
    """The module of a study."""
    return importlib.import_module(f"configs.ablations.{study}")


def length(base: ConfigDict, arm: ConfigDict, steps: int) -> int:
    """Generator updates of an arm if its base makes `steps`; at equal numbers of images if the base counts epochs."""
    if not base.num_epochs:
        return steps
    return max(round(steps * base.batch_size * base.d_steps / (arm.batch_size * arm.d_steps)), 1)


def intervals(updates: int) -> dict:
    """Config overrides of a run of this length whose records become curves."""
    every = max(updates // SCORES, 1)
    return {
        "eval.every_steps": every,
        "eval.at_end": False,
        "log_every_steps": max(min(updates // 100, 10), 1),
        "sample_every_steps": every,
        # Every score also saves the state, which is often enough.
        "checkpoint_every_steps": 0,
        "keep_checkpoints": 1,
    }


def resolved(base: ConfigDict, arm: ConfigDict, steps: int, shared: dict) -> ConfigDict:
    """The config of an arm's runs. shared: overrides of the data and the scores, the same for all runs."""
    updates = length(base, arm, steps)
    changes = {"num_epochs": 0, "num_steps": updates} | intervals(updates)
    if arm.discriminator.noise_fade_updates:
        # About the same share of the run as in the tutorial's. With the study's number, a short run would not fade out.
        changes["discriminator.noise_fade_updates"] = max(updates * arm.d_steps // 2, 1)
    configs.override(arm, changes | shared)
    return arm


def run_hash(config: ConfigDict) -> str:
    """8 hexadecimal digits that identify a config, without its seed, number of seeds, mesh and services for records."""
    table = config.to_dict()
    del table["seed"], table["num_seeds"], table["mesh"], table["records"]
    return hashlib.sha256(configs.to_json(ConfigDict(table)).encode()).hexdigest()[:8]


def arms_of(study: str, base: str, steps: int, shared: dict) -> list[Arm]:
    """The arms of a study on one of its bases."""
    arms, source = [], module(study)
    for name, config in studies.arms(source, base).items():
        config = resolved(studies.BASES[base](), config, steps, shared)
        arms.append(Arm(study, base, name, source.ARMS[name], config, run_hash(config)))
    return arms


def check(names: tuple[str, ...], bases: tuple[str, ...]) -> None:
    """UserError for the name of an unknown study or base."""
    for base in bases:
        configs.choose(list(studies.BASES), base, "--bases")
    for name in names:
        configs.choose(STUDIES, name, "--studies")


def plan(names: tuple[str, ...], bases: tuple[str, ...], steps: int, shared: dict) -> list[Arm]:
    """Every arm of the studies, on all of `bases` that each study has; UserError if no study has one of them."""
    check(names, bases)
    pairs = [(name, base) for name in names for base in module(name).BASELINE if base in bases]
    if not pairs:
        available = sorted({base for name in names for base in module(name).BASELINE})
        raise UserError(f"--bases={','.join(bases)}: {','.join(names)} is on {' and '.join(available)} only")
    return [arm for name, base in pairs for arm in arms_of(name, base, steps, shared)]


def distinct(arms: list[Arm]) -> dict[str, Arm]:
    """hash -> the first arm with this hash."""
    by_hash = {}
    for arm in arms:
        by_hash.setdefault(arm.hash, arm)
    return by_hash
