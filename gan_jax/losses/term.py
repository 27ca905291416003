"""A term of a loss as data: the function, its knobs, and what the step, the network and the config must give it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


class Knob(NamedTuple):
    """A setting of one term, `config.terms.<term>.<knob>`.

    default: the value in configs/default.py, at which the knob counts as unset. A number has `allows`, a check, and
    `range`, the same in words; a name has `choices`.
    """

    default: float | str
    range: str = ""
    allows: Callable[[Any], bool] | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: Any, key: str) -> None:
        """UserError if the value is outside of the range. key: its dotted name in the config."""
        if self.choices:
            choose(self.choices, value, key)
        elif not self.allows(value):
            raise UserError(f"{key}={value}: must be {self.range}")


class Term(NamedTuple):
    """A term of a player's loss; its weight is `config.d_loss.<term>` or `config.g_loss.<term>`.

    value: (inputs, **knobs) -> scalar. knobs: by name, the keywords of `value`.
    needs_classes: it reads D's class logits.
    uses_labels: it reads the labels of real images, or those that generated images were made for.
    per_example: it differentiates the output of D for one image, so that no layer of D may mix the images of a batch.
    needs_param_mean: it reads the mean of the player's past parameters.
    ramps: it reads D's output for images without a label, which is wrong at first; `config.ramp_up` delays it.
    needs: (config) -> what else this term needs and this config lacks, and what to type; "" if it lacks nothing.
    """

    value: Callable[..., jax.Array]
    knobs: Mapping[str, Knob] = {}
    needs_classes: bool = False
    uses_labels: bool = False
    per_example: bool = False
    needs_param_mean: bool = False
    ramps: bool = False
    needs: tuple[Callable[[ConfigDict], str], ...] = ()
