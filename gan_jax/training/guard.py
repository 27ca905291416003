"""Notices a run that has failed, from the metrics of its steps."""

from collections.abc import Mapping

import numpy as np
from ml_collections import ConfigDict

from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.system.config import choose
from gan_jax.system.errors import Collapsed, TrainingFailed, UserError


class Guard:
    """Watches step after step; raises TrainingFailed or Collapsed when a run is beyond hope.

    nonfinite: a loss that is not finite ends the run at once. d_loss, pixel_std: below these, the discriminator's
    adversarial loss or the mean standard deviation of a pixel over a batch of generated images means
    that one player has won; 0 watches neither. A run ends when steps below one of them outnumber the others by `steps`,
    counted from any step on: a discriminator that has won still errs in a step of ten. `zero_means_won` is the
    objective's: where a discriminator loss of 0 is no victory (wasserstein), d_loss is not watched.
    """

    def __init__(self, *, steps: int, d_loss: float, pixel_std: float, nonfinite: bool, zero_means_won: bool):
        if steps < 1:
            raise UserError(f"guard.steps={steps}: must be at least 1")
        for knob, bound in (("d_loss", d_loss), ("pixel_std", pixel_std)):
            if bound < 0:
                raise UserError(f"guard.{knob}={bound}: must be at least 0; 0 switches it off")
        self._steps, self._nonfinite = steps, nonfinite
        self._bounds = {"d_loss": d_loss if zero_means_won else 0.0, "pixel_std": pixel_std}
        self._lead = dict.fromkeys(self._bounds, 0)
        self.suspicious = False  # whether the last step was below a bound: no time for a checkpoint

    def check(self, step: int, values: Mapping[str, float]) -> None:
        """Hears of every step once, in order."""
        if self._nonfinite and not (np.isfinite(values["d_loss"]) and np.isfinite(values["g_loss"])):
            raise TrainingFailed(f"training diverged: a loss is not finite at step {step}; lower the learning rates")
        watched = {"d_loss": values.get("d_adversarial", values["d_loss"]), "pixel_std": values["g_pixel_std"]}
        low = {name: bound > 0 and watched[name] < bound for name, bound in self._bounds.items()}
        self.suspicious = any(low.values())
        for name, bound in self._bounds.items():
            self._lead[name] = self._lead[name] + 1 if low[name] else max(self._lead[name] - 1, 0)
            if self._lead[name] >= self._steps:
                what = {
                    "d_loss": f"D's adversarial loss has been below {bound:g}",
                    "pixel_std": f"G's images have differed by less than {bound:g}",
                }[name]
                raise Collapsed(
                    f"training collapsed: {what} for {self._steps} steps and more, up to step {step}; weaken the "
                    f"winner (lower its learning rate, add dropout or a penalty), or --config.guard.{name}=0 to go on"
                )


def make_guard(config: ConfigDict) -> Guard:
    """What watches a run of this config; guard.debug is for what comes after it."""
    bounds = {name: value for name, value in config.guard.items() if name != "debug"}
    # If D plays no game its loss is a classifier's, and near zero when it has learned.
    plays = config.d_loss.adversarial != 0
    return Guard(**bounds, zero_means_won=plays and choose(OBJECTIVES, config.objective, "objective").zero_means_won)
