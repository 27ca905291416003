"""Settings that may change during training, from a config to the parts of a Gan: see gan/values.py for their forms.

total_steps: the length of the run, for schedules.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from gan_jax.gan.augmentation import make_augmentation, pseudo_real
from gan_jax.gan.values import Value, at, bounds, make_value
from gan_jax.system.config import is_adaptive
from gan_jax.system.errors import UserError


def augmentations(section: ConfigDict, total_steps: int) -> dict[str, Callable]:
    """The fields of a Gan that change images. section: config.augmentation."""
    others = ("real", "differentiable", "consistency", "probability", "pseudo")
    strengths = {name: value for name, value in section.items() if name not in others}

    def make(names: str, table: str, knob: str) -> Callable:
        return make_augmentation(names, table, f"augmentation.{knob}", **strengths)

    probability, pseudo = (
        _probability(section, name, default, total_steps) for name, default in (("probability", 1.0), ("pseudo", 0.0))
    )
    if section.probability is not None and not section.differentiable:
        raise UserError(
            f"augmentation.probability={section.probability} does nothing without changes; set "
            "--config.augmentation.differentiable=color,translation,cutout"
        )
    real = make(section.real, "data", "real")
    differentiable = make(section.differentiable, "differentiable", "differentiable")

    def augment_real(key, images, fakes, progress):
        images = real(key, images)
        if fakes is None or not pseudo:
            return images
        return pseudo_real(jax.random.fold_in(key, 1), images, fakes, at(pseudo, progress))

    return {
        "augment_real": augment_real,
        "augment": lambda key, images, progress: differentiable(key, images, at(probability, progress)),
        "distort": make(section.consistency, "data", "consistency"),
    }


def _probability(section: ConfigDict, name: str, default: float, total_steps: int) -> Value:
    """The value of augmentation.<name>; `default` if it is None."""
    setting, knob = section[name], f"augmentation.{name}"
    if setting is None:
        return default
    low, high = bounds(setting, knob)
    if not 0 <= low <= high <= 1:
        raise UserError(f"{knob}={setting}: a probability is from 0 to 1")
    return make_value(setting, total_steps, knob)


def ema_decay(section: ConfigDict, total_steps: int, knob: str) -> Value:
    """The decay of a player's EMA. With a half-life of h updates it is 2^(-1 / h)."""
    setting, knob = section.ema_half_life, f"{knob}.ema_half_life"
    if setting is None:
        return section.ema_decay
    if section.ema_decay:
        raise UserError(f"{knob}={setting} and ema_decay={section.ema_decay} are two EMAs; set one of them to none, 0")
    if bounds(setting, knob)[0] < 0 or is_adaptive(setting):
        raise UserError(f"{knob}={setting}: must be a number of updates, at least 0, or a schedule of them")
    half_life = make_value(setting, total_steps, knob)
    return lambda progress: 0.5 ** (1 / jnp.maximum(at(half_life, progress), 1e-8))
