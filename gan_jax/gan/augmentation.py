"""Augmentation: named changes of images (gan/image_changes.py) with a probability; generated images among real ones."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax.gan.image_changes import TABLES, Strengths
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


def make_augmentation(names: str, table_name: str, knob: str, **strengths: float) -> Callable:
    """(key, images [B, H, W, C], probability) -> images, with the named changes applied one after the other.

    Each image gets each change with this probability, which is 1 if it is left out.

    names: separated by commas, for example "flip,shift". "" changes nothing and draws nothing.
    table_name: "data" or "differentiable".
    knob: the config key of the names, for error messages.
    strengths: fields of `Strengths` that differ from their defaults.
    """
    table = TABLES[table_name]
    chosen = [choose(table, name.strip(), knob) for name in names.split(",")] if names.strip() else []
    settings = _check(knob, strengths)

    def augment(key: jax.Array, images: jax.Array, probability: float | jax.Array = 1.0) -> jax.Array:
        for change_key, change in zip(jax.random.split(key, len(chosen)), chosen, strict=True):
            keys = jax.random.split(change_key, len(images))
            changed = jax.vmap(lambda image_key, image: change(image_key, image, settings))(keys, images)
            images = changed if always(probability) else _mix(change_key, images, changed, probability)
        return images

    return augment if chosen else lambda key, images, probability=1.0: images


def always(probability: float | jax.Array) -> bool:
    """Whether a probability is the number 1, for which nothing is drawn."""
    return isinstance(probability, float) and probability == 1.0


def _mix(key: jax.Array, images: jax.Array, others: jax.Array, probability: float | jax.Array) -> jax.Array:
    """Each image [H, W, C] of `images`, or with this probability the one of `others` in its place."""
    # Folded in, because `key` is the key of the changes, too.
    is_other = jax.random.bernoulli(jax.random.fold_in(key, 1), probability, (len(images), 1, 1, 1))
    return jnp.where(is_other, others, images)


def pseudo_real(key: jax.Array, images: jax.Array, fakes: jax.Array, probability: float | jax.Array) -> jax.Array:
    """D's real images, each replaced by a generated one with this probability (APA, arXiv 2111.06849, equation 3).

    It weakens a D that knows the few real images by heart. The fakes are those of the same update. They are constants:
    D learns from them, and no gradient flows to G.
    """
    return _mix(key, images, jax.lax.stop_gradient(fakes), probability)


def _check(knob: str, strengths: dict[str, float]) -> Strengths:
    for name, value in strengths.items():
        low, high = choose(RANGES, name, f"{knob} strength")
        if not low <= value <= high:
            raise UserError(f"{knob}: {name}={value} is out of range; choose a number from {low} to {high}")
    settings = Strengths(**strengths)
    low, high = settings.min_scale, settings.max_scale
    if low > high:
        raise UserError(f"{knob}: min_scale={low} is above max_scale={high}; choose min_scale <= max_scale")
    return settings


# strength -> (smallest, largest) value that makes sense
RANGES = {
    "max_rotation": (0.0, 180.0),
    "max_shift": (0.0, 0.5),
    "min_scale": (0.1, 10.0),
    "max_scale": (0.1, 10.0),
    "brightness": (0.0, 2.0),
    "contrast": (0.0, 1.0),
    "max_translation": (0.0, 0.5),
    "cutout": (0.0, 1.0),
}
