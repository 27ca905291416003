"""What the ablation studies in configs/ablations share.

A study is a table ARMS, arm -> dotted overrides, over every base that its BASELINE names. BASELINE says for each base
which arm changes nothing there: the arm that the others are compared with (that of early_stopping.py changes how often
a run is scored, and says why). An arm states the full setting of the factor that it varies, so that it means the same
on every base; all that it does not name is held fixed, the length in passes over the images or in updates included.

An arm is spelled `arm` on the tutorial's CGAN and `arm@base` on another base:

    python -m gan_jax.main --config configs/ablations/optimizer.py:radam
    python -m gan_jax.main --config configs/ablations/optimizer.py:radam@tuned

The tutorial's CGAN is broken, and comparing ways of being broken is itself a finding: each of its conclusions was drawn
there, from one run an arm. Whether it also holds for a system that works is what the second base is for.
"""

from ml_collections import ConfigDict

from configs import cdcgan, cgan

BASES = {"tutorial": cgan.get_config, "tuned": lambda: cgan.get_config("tuned"), "cdcgan": cdcgan.get_config}


def optimizers(**knobs) -> dict:
    """The same overrides for the optimizers of both players."""
    return {f"{player}_optimizer.{knob}": value for player in "dg" for knob, value in knobs.items()}


def networks(**knobs) -> dict:
    """The same overrides for both networks."""
    return {f"{network}.{knob}": value for network in ("generator", "discriminator") for knob, value in knobs.items()}


def norms(generator: str = "none", discriminator: str = "none") -> dict:
    """The full setting of which norm each network has."""
    return {"generator.norm": generator, "discriminator.norm": discriminator}


def config(base: str, overrides: dict) -> ConfigDict:
    """A base with an arm's overrides."""
    resolved = BASES[base]()
    resolved.update_from_flattened_dict(overrides)
    return resolved


def spelled(arm: str, base: str) -> str:
    """The variant of a study's file that is this arm on this base."""
    return arm if base == "tutorial" else f"{arm}@{base}"


def variants(arms: dict, baseline: dict) -> tuple:
    """(VARIANTS, get_config) of a study's file; VARIANTS maps a spelling to its (base, overrides)."""
    table = {spelled(arm, base): (base, overrides) for base in baseline for arm, overrides in arms.items()}
    return table, lambda variant: config(*table[variant])


def arms(module, base: str) -> dict:
    """arm -> resolved config of an imported study on one of its bases."""
    return {arm: config(base, overrides) for arm, overrides in module.ARMS.items()}
