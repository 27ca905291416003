"""The type of a loss term: its function, its knobs, and its requirements on the step, the network and the config."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from gan_jax.gan.tracking import Tracker
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


class Knob(NamedTuple):
    """A setting of one term, `config.terms.<term>.<knob>`.

    default: the value in the default config. A knob with this value counts as unset.
    range: for a number, the allowed range in words.
    allows: for a number, the check of this range.
    choices: for a name, the allowed names.
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

    value: (inputs, **knobs) -> scalar, a mean over the batch.
    players: the players whose loss can have the term: "d", "g" or "dg".
    knobs: the keywords of `value`, by name.
    needs_classes: whether it uses D's class logits.
    uses_labels: whether it uses the labels of real images or of generated images.
    per_example: whether it differentiates D's output for one image. Then, no layer of D may mix the images of a batch.
    needs_param_mean: whether it uses the mean of the player's past parameters.
    ramps: whether `config.ramp_up` delays it. For terms that use D's classes of unlabelled images, which are wrong at
        first.
    trackers: (**knobs) -> the numbers that follow D's outputs (gan/tracking.py) and that it reads from
        `inputs.progress.tracked`, by name.
    needs: checks (config) -> the end of an error message: the missing requirement and the option to set; "" if nothing
        is missing.
    """

    value: Callable[..., jax.Array]
    players: str
    knobs: Mapping[str, Knob] = {}
    needs_classes: bool = False
    uses_labels: bool = False
    per_example: bool = False
    needs_param_mean: bool = False
    ramps: bool = False
    trackers: Callable[..., Mapping[str, Tracker]] | None = None
    needs: tuple[Callable[[ConfigDict], str], ...] = ()
