"""The common parts of the ablation studies in configs/ablations.

A study file has two tables:

- ARMS: arm -> dotted overrides. An arm states the full setting of the factor that it varies, so an arm means the same
  on every base. Everything else is the base's, also the length (in epochs or in updates).
- BASELINE: base -> the arm that changes nothing on this base. The other arms are compared with it. (The baseline of
  early_stopping.py changes how often a run is scored; its docstring gives the reason.)

The name of a variant is `arm` on the tutorial's CGAN and `arm@base` on another base:

    python -m gan_jax.main --config configs/ablations/optimizer.py:radam
    python -m gan_jax.main --config configs/ablations/optimizer.py:radam@tuned

The tutorial's CGAN does not work. It is a base because the tutorial drew each of its conclusions on it, from one run
per arm. The second base shows if a conclusion also holds for a system that works.
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
    """The norms of both networks; a network that is not named has none."""
    return {"generator.norm": generator, "discriminator.norm": discriminator}


def config(base: str, overrides: dict) -> ConfigDict:
    """A base with an arm's overrides."""
    resolved = BASES[base]()
    resolved.update_from_flattened_dict(overrides)
    return resolved


def variant_name(arm: str, base: str) -> str:
    """The name of the variant of a study file that is this arm on this base."""
    return arm if base == "tutorial" else f"{arm}@{base}"


def variants(arms: dict, baseline: dict) -> tuple:
    """(VARIANTS, get_config) of a study file; VARIANTS maps a variant's name to its (base, overrides)."""
    table = {variant_name(arm, base): (base, overrides) for base in baseline for arm, overrides in arms.items()}
    return table, lambda variant: config(*table[variant])


def arms(module, base: str) -> dict:
    """arm -> resolved config of an imported study on one of its bases."""
    return {arm: config(base, overrides) for arm, overrides in module.ARMS.items()}
