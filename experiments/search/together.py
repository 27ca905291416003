"""The trials of a search, taken one by one by every process that shares its storage, until enough have ended."""

import time
from collections.abc import Callable

import optuna
from optuna.trial import TrialState

from gan_jax.system.errors import Interrupted
from gan_jax.system.interrupts import Interrupts

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
_POLL_SECONDS = 1.0


class _Surplus(Exception):
    """Other processes have taken the last trials."""


def _count(study: optuna.Study, *states: TrialState) -> int:
    return len(study.get_trials(deepcopy=False, states=states))


def _is_surplus(study: optuna.Study, number: int, trials: int) -> bool:
    """Whether enough trials come before this one.

    None comes before it later, and one that failed never counts again: so no more than `trials` end, however many
    processes take one at the same moment.
    """
    before = [trial for trial in study.get_trials(deepcopy=False) if trial.number < number]
    return sum(trial.state != TrialState.FAIL for trial in before) >= trials


def _put_back(study: optuna.Study, number: int) -> None:
    """A new trial of the same values, which the next process that asks gets first."""
    trial = study.get_trials(deepcopy=False)[number]
    again = {"params": trial.params, "distributions": trial.distributions, "system_attrs": trial.system_attrs}
    study.add_trial(optuna.create_trial(state=TrialState.WAITING, **again))


def optimize(
    study: optuna.Study, objective: Callable[[optuna.Trial], float], trials: int, interrupts: Interrupts
) -> None:
    """Takes trials until `trials` have ended, and waits for those of other processes: one that dies is taken over."""

    def own(trial: optuna.Trial) -> float:
        if _is_surplus(study, trial.number, trials):
            _put_back(study, trial.number)
            raise _Surplus
        try:
            return objective(trial)
        except Interrupted:
            # Its training is saved, and goes on from there.
            _put_back(study, trial.number)
            raise

    waiting = False
    while _count(study, *_ENDED) < trials:
        if _count(study, *_ENDED, TrialState.RUNNING) < trials:
            study.optimize(own, n_trials=1, catch=(_Surplus,))
            waiting = False
            continue
        if not waiting:
            print("the last trials are with other processes; waiting for them", flush=True)
            waiting = True
        if interrupts.received:
            raise Interrupted("stopped; the same command continues")
        time.sleep(_POLL_SECONDS)
        optuna.storages.fail_stale_trials(study)
