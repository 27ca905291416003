"""The runs of the chosen studies: arms, their resolved configs, and hashes by which equal configs are found."""

import functools
import importlib
import pathlib
from types import ModuleType
from typing import NamedTuple

from ml_collections import ConfigDict

from configs import ablations
from configs import study as studies
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.errors import UserError

STUDIES = tuple(sorted(path.stem for path in pathlib.Path(ablations.__file__).parent.glob("[!_]*.py")))
SCORES = 10  # validation scores of a run
HASH_DIGITS = 8


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
        return f"{title(self.study)}:{studies.variant_name(self.name, self.base)}"

    @property
    def file_name(self) -> str:
        """The name of the study's file of results on this base."""
        return f"{title(self.study)}@{self.base}.json"

    @property
    def is_baseline(self) -> bool:
        """Whether the other arms of the study are compared with this one."""
        return self.name == module(self.study).BASELINE[self.base]

    @property
    def config_spec(self) -> str:
        path = self.study if is_own(self.study) else f"configs/ablations/{self.study}.py"
        return f"{path}:{studies.variant_name(self.name, self.base)}"


def is_own(study: str) -> bool:
    """Whether a study is a file of the user's, named by its path, and none of configs/ablations."""
    return study.endswith(".py")


def title(study: str) -> str:
    """The name of a study in results and reports."""
    return pathlib.Path(study).stem if is_own(study) else study


@functools.cache
def module(study: str) -> ModuleType:
    """The module of a study; UserError if a file of the user's is no study."""
    if not is_own(study):
        return importlib.import_module(f"configs.ablations.{study}")
    with configs.loaded(study) as source:
        arms, baseline = getattr(source, "ARMS", None), getattr(source, "BASELINE", None)
    if not (source.__doc__ and isinstance(arms, dict) and isinstance(baseline, dict) and baseline):
        raise UserError(
            f"--studies={study} is no study: it needs a docstring that begins with the question, ARMS and BASELINE, as "
            "configs/ablations/loss.py has them"
        )
    for base, arm in baseline.items():
        configs.choose(studies.BASES, base, f"{study}: base")
        configs.choose(arms, arm, f"{study}: BASELINE")
    if title(study) in STUDIES:
        raise UserError(f"--studies={study}: configs/ablations has a study of this name; rename the file")
    return source


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


def _without_data(arm: ConfigDict, shared: dict) -> dict:
    """`shared` without data that would replace those of the study itself; UserError if they were named by --idx."""
    default = configs.defaults().data
    if (arm.data.name, arm.data.dir) == (default.name, default.dir):
        return shared
    if "data.dir" in shared:
        raise UserError(
            f"--idx={shared['data.dir']}: the study has data of its own (data.name={arm.data.name}, "
            f"data.dir={arm.data.dir}); leave --idx out"
        )
    return {key: value for key, value in shared.items() if not key.startswith("data.")}


def resolved(base: ConfigDict, arm: ConfigDict, steps: int, shared: dict) -> ConfigDict:
    """The config of an arm's runs. shared: overrides of the data and the scores, the same for all runs.

    If a study names its data, it keeps them.
    """
    shared = _without_data(arm, shared)
    updates = length(base, arm, steps)
    changes = {"num_epochs": 0, "num_steps": updates} | intervals(updates)
    if arm.discriminator.noise_fade_updates:
        # About the same share of the run as in the tutorial's. With the study's number, a short run would not fade out.
        changes["discriminator.noise_fade_updates"] = max(updates * arm.d_steps // 2, 1)
    configs.override(arm, changes | shared)
    return arm


def run_hash(config: ConfigDict) -> str:
    """Hexadecimal digits that identify the differences from the default config, without those of place."""
    return recorded.digest(config)[:HASH_DIGITS]


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
        if is_own(name):
            module(name)
        else:
            configs.choose(STUDIES, name, "--studies")
    titles = [title(name) for name in names]
    if twice := sorted({name for name in titles if titles.count(name) > 1}):
        raise UserError(f"--studies={','.join(names)}: two are called {twice[0]}; name one of them, or rename a file")


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
