"""Settings that may change during training.

0.05                    a number
cosine:0.05:0.005       a schedule, from 0.05 at the first step to 0.005 at the last one
linear:0:1:0.1          the same within the first 0.1 of the run; then it stays 1
adaptive:0.6            a probability that follows D's outputs for real images (gan/tracking.py)
adaptive:0.6:100000     the same; it needs at least 100,000 real images to change from 0 to 1
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.gan.tracking import Tracker, probability
from gan_jax.gan.types import Progress
from gan_jax.system.config import ADAPTIVE, choose
from gan_jax.system.errors import UserError

Value = float | Callable[[Progress], jax.Array]


class Schedule(NamedTuple):
    """From `first` to `last` within the share `end` of the run, then `last`."""

    shape: str
    first: float
    last: float
    end: float = 1.0

    def at(self, update: jax.Array, num_updates: int) -> jax.Array:
        """The value after `update` of the `num_updates` updates of the whole run."""
        share = jnp.clip(jnp.asarray(update) / (self.end * num_updates), 0, 1)
        return SHAPES[self.shape](share, self.first, self.last)


class Adaptive(NamedTuple):
    """A probability that a tracker moves; its fields are the arguments of `tracking.probability`."""

    target: float
    num_images: float = 500_000.0


def parse(setting: float | str | None, knob: str) -> float | Schedule | Adaptive:
    """The meaning of a setting of the config. UserError if it has none."""
    if not isinstance(setting, str):
        return setting
    shape, *numbers = setting.split(":")
    kind = Adaptive if shape == ADAPTIVE else Schedule
    try:
        numbers = [float(number) for number in numbers]
        value = Adaptive(*numbers) if kind is Adaptive else Schedule(shape, *numbers)
    except (TypeError, ValueError) as error:
        example = "adaptive:0.6" if kind is Adaptive else f"{shape}:0.05:0.005 (first and last value)"
        raise UserError(f"{knob}={setting}: write a number, or {example}") from error
    if kind is Adaptive:
        if not (-1 < value.target < 1 and value.num_images >= 1):
            raise UserError(f"{knob}={setting}: the target must be between -1 and 1, the number of images at least 1")
        return value
    choose(SHAPES, shape, knob)
    if not (math.isfinite(value.first) and math.isfinite(value.last) and 0 < value.end <= 1):
        raise UserError(f"{knob}={setting}: its numbers are two values, then a share of the run above 0, at most 1")
    if shape == "exponential" and not (value.first > 0 and value.last > 0):
        raise UserError(f"{knob}={setting}: an exponential schedule is between numbers above 0; take linear")
    return value


def bounds(setting: float | str, knob: str) -> tuple[float, float]:
    """(smallest, largest) number that a setting takes."""
    value = parse(setting, knob)
    if isinstance(value, Adaptive):
        return 0.0, 1.0
    return (min(value.first, value.last), max(value.first, value.last)) if isinstance(value, Schedule) else (value,) * 2


def make_value(setting: float | str, total_steps: int, knob: str) -> Value:
    """A number, or a function of Progress. total_steps: the length of the run."""
    value = parse(setting, knob)
    if isinstance(value, Schedule):
        return lambda progress: value.at(progress.step, total_steps)
    if isinstance(value, Adaptive):
        return lambda progress: progress.tracked[_name(knob)]
    return value


def at(value: Value, progress: Progress) -> float | jax.Array:
    """The value at this time of the training."""
    return value(progress) if callable(value) else value


def make_trackers(settings: dict[str, float | str]) -> dict[str, Tracker]:
    """The trackers of those settings that are adaptive. settings: by knob."""
    values = {knob: parse(setting, knob) for knob, setting in settings.items()}
    return {_name(knob): probability(*value) for knob, value in values.items() if isinstance(value, Adaptive)}


def _name(knob: str) -> str:
    """The name of a tracker, which is a part of the name of its metric."""
    return knob.replace(".", "_")


# name -> (share of the way from 0 to 1, first, last) -> value
SHAPES = {
    "linear": lambda share, first, last: first + (last - first) * share,
    "cosine": lambda share, first, last: last + (first - last) * (1 + jnp.cos(math.pi * share)) / 2,
    "exponential": lambda share, first, last: first * (last / first) ** share,
}
