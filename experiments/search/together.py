"""Runs the trials of a search, one at a time in each process that shares the storage, until enough have ended."""

import time
from collections.abc import Callable

import optuna
from optuna.trial import TrialState

from gan_jax.system.errors import Interrupted
from gan_jax.system.interrupts import Interrupts

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
_POLL_SECONDS = 1.0


class _Surplus(Exception):
    """Other processes are already running the last trials."""


def _count(study: optuna.Study, *states: TrialState) -> int:
    return len(study.get_trials(deepcopy=False, states=states))


def _is_surplus(study: optuna.Study, number: int, trials: int) -> bool:
    """Whether there are enough trials with a lower number.

    No trial with a lower number is added later, and a failed trial never counts again. So no more than `trials` end,
    even if many processes start one at the same moment.
    """
    earlier = [trial for trial in study.get_trials(deepcopy=False) if trial.number < number]
    return sum(trial.state != TrialState.FAIL for trial in earlier) >= trials


def _put_back(study: optuna.Study, number: int) -> None:
    """Adds a waiting trial with the same values; the next process that asks for a trial gets it first."""
    trial = study.get_trials(deepcopy=False)[number]
    same = {"params": trial.params, "distributions": trial.distributions, "system_attrs": trial.system_attrs}
    study.add_trial(optuna.create_trial(state=TrialState.WAITING, **same))


def optimize(
    study: optuna.Study, objective: Callable[[optuna.Trial], float], trials: int, interrupts: Interrupts
) -> None:
    """Runs trials until `trials` have ended, also those of other processes. Continues the trials of dead processes."""

    def run_or_put_back(trial: optuna.Trial) -> float:
        if _is_surplus(study, trial.number, trials):
            _put_back(study, trial.number)
            raise _Surplus
        try:
            return objective(trial)
        except Interrupted:
            # The training is saved; the new trial continues it.
            _put_back(study, trial.number)
            raise

    waiting = False
    while _count(study, *_ENDED) < trials:
        if _count(study, *_ENDED, TrialState.RUNNING) < trials:
            study.optimize(run_or_put_back, n_trials=1, catch=(_Surplus,))
            waiting = False
            continue
        if not waiting:
            print("the last trials are with other processes; waiting for them", flush=True)
            waiting = True
        if interrupts.received:
            raise Interrupted("stopped; the same command continues")
        time.sleep(_POLL_SECONDS)
        optuna.storages.fail_stale_trials(study)
