"""Detects failed runs from the metrics of their steps."""

from collections.abc import Mapping

import numpy as np
from ml_collections import ConfigDict

from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.system.config import choose
from gan_jax.system.errors import Collapsed, TrainingFailed, UserError


class Guard:
    """Checks the metrics of every step; raises TrainingFailed or Collapsed if a run has failed.

    nonfinite: whether a loss that is not finite ends the run at once.
    d_loss: lower bound of the discriminator's adversarial loss; below it, the discriminator has won. 0 disables it.
    pixel_std: lower bound of the mean standard deviation of a pixel over a batch of generated images; below it, the
        generator has collapsed. 0 disables it.
    steps: a run ends if, counted from any step on, the steps below a bound outnumber the other steps by `steps`. The
        count allows exceptions, because a discriminator that has won still errs in one step of ten.
    zero_means_won: of the objective. If a discriminator loss of 0 is no victory (wasserstein), d_loss is not checked.
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
        self.suspicious = False  # whether the last step was below a bound; then no checkpoint is saved

    def check(self, step: int, values: Mapping[str, float]) -> None:
        """Checks the metrics of a step. Call it once for every step, in order."""
        if self._nonfinite and not (np.isfinite(values["d_loss"]) and np.isfinite(values["g_loss"])):
            raise TrainingFailed(f"training diverged: a loss is not finite at step {step}; lower the learning rates")
        watched = {"d_loss": values.get("d_adversarial", values["d_loss"]), "pixel_std": values["g_pixel_std"]}
        low = {name: bound > 0 and watched[name] < bound for name, bound in self._bounds.items()}
        self.suspicious = any(low.values())
        for name, bound in self._bounds.items():
            self._lead[name] = self._lead[name] + 1 if low[name] else max(self._lead[name] - 1, 0)
            if self._lead[name] >= self._steps:
                symptom = {
                    "d_loss": f"D's adversarial loss has been below {bound:g}",
                    "pixel_std": f"G's images have differed by less than {bound:g}",
                }[name]
                raise Collapsed(
                    f"training collapsed: {symptom} for {self._steps} steps and more, up to step {step}; weaken the "
                    f"winner (lower its learning rate, add dropout or a penalty), or --config.guard.{name}=0 to go on"
                )


def make_guard(config: ConfigDict) -> Guard:
    """The guard of a run of this config. It does not use guard.debug, which applies after the run."""
    bounds = {name: value for name, value in config.guard.items() if name != "debug"}
    if config.batch_size == 1:  # The standard deviation over one image is 0.
        bounds["pixel_std"] = 0.0
    # Without an adversarial term, the loss of D is that of a classifier, which may be near zero.
    is_adversarial = config.d_loss.adversarial != 0
    return Guard(
        **bounds, zero_means_won=is_adversarial and choose(OBJECTIVES, config.objective, "objective").zero_means_won
    )
