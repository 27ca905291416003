"""Samplers, which propose the values of a trial, and pruners, which stop a bad trial."""

from collections.abc import Callable
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from experiments.search import space
from gan_jax.system.errors import UserError


def _gaussian_process(seed: int) -> BaseSampler:
    try:
        return optuna.samplers.GPSampler(seed=seed)
    except ImportError:
        raise UserError("--sampler=gp needs PyTorch: pip install torch; or choose --sampler=tpe") from None


SAMPLERS = {
    # constant_liar counts running trials as bad ones, so that parallel processes do not all try the same region.
    "tpe": lambda seed, leaves: optuna.samplers.TPESampler(seed=seed, constant_liar=True),
    "random": lambda seed, leaves: optuna.samplers.RandomSampler(seed=seed),
    # The seed is the order of the grid, which must be the same in all processes.
    "grid": lambda seed, leaves: optuna.samplers.GridSampler(space.grid(leaves), seed=0),
    "gp": lambda seed, leaves: _gaussian_process(seed),
}
PRUNERS = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    "none": optuna.pruners.NopPruner,
}


class ByNumber(BaseSampler):
    """A sampler whose seed depends on the trial's number.

    With one fixed seed, processes that share a storage, or a restarted process, would propose the same points again.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int):
        """make: seed -> a sampler."""
        self._make, self._seed = make, seed
        self._sampler = make(seed)

    def before_trial(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        self._sampler = self._make(1000 * self._seed + trial.number)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(self, study: optuna.Study, trial: optuna.trial.FrozenTrial, space: dict) -> dict[str, Any]:
        return self._sampler.sample_relative(study, trial, space)

    def sample_independent(self, study: optuna.Study, trial: optuna.trial.FrozenTrial, name: str, values: Any) -> Any:
        return self._sampler.sample_independent(study, trial, name, values)

    def after_trial(self, study: optuna.Study, trial: optuna.trial.FrozenTrial, state: Any, values: Any) -> None:
        self._sampler.after_trial(study, trial, state, values)
