"""Several processes with one search: exact number of trials, retries of lost trials, different points."""

import os
import subprocess
import sys
import threading
import time
import types

import optuna
import pytest

from experiments.jobs.locks import acquire
from experiments.search import one_trial, samplers, storage, together
from gan_jax.system import config as configs
from gan_jax.system.errors import Interrupted, UserError
from tests.experiments import stand_in_training

pytestmark = [
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
    pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed to be used with Study.optimize"),
]
State = optuna.trial.TrialState
RATES = "g_optimizer.learning_rate=1e-5..1e-1:log"


@pytest.fixture
def study(tmp_path):
    """() -> a study that opens the common journal again, as another process would."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def make(sampler=None):
        opened_storage = storage.open_storage(f"journal:{tmp_path / 'search.log'}")
        return optuna.create_study(study_name="search", storage=opened_storage, sampler=sampler, load_if_exists=True)

    return make


def recorded(address):
    """The trials that a storage has now."""
    with storage.opened(address) as kept:
        return optuna.load_study(study_name="search", storage=kept).get_trials()


def states(study):
    return [trial.state for trial in study.get_trials(deepcopy=False)]


def test_the_number_of_completed_trials_is_exact(study, monkeypatch):
    """Six threads and seven trials: without a check, each thread would start one too many."""
    monkeypatch.setattr(together, "_POLL_SECONDS", 0.05)
    studies, interrupts = [study() for _ in range(6)], types.SimpleNamespace(received=None)

    def objective(trial):
        time.sleep(0.02)
        return trial.suggest_float("x", 0, 1)

    threads = [
        threading.Thread(target=together.optimize, args=(opened_study, objective, 7, interrupts))
        for opened_study in studies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(study()).count(State.COMPLETE) == 7
    assert State.RUNNING not in states(study())


def test_a_trial_beyond_the_total_goes_back_to_the_queue(study):
    first, second = study(), study()
    ended, running, late = first.ask(), first.ask(), second.ask()
    first.tell(ended, 1.0)
    assert not together._is_surplus(second, running.number, 2)
    assert together._is_surplus(second, late.number, 2)
    late.suggest_float("x", 0, 1)
    together._put_back(second, late.number)
    second.tell(late, state=State.FAIL)
    first.tell(running, state=State.FAIL)
    retried = first.ask()
    assert retried.suggest_float("x", 0, 1) == late.params["x"]
    assert not together._is_surplus(first, retried.number, 2)


def test_a_trial_whose_process_died_is_tried_again(study, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "_GRACE_SECONDS", 50)
    dead_process, live_process = study(), study()
    lost, alive, without_heartbeat = dead_process.ask(), live_process.ask(), dead_process.ask()
    lost.suggest_float("x", 0, 1)
    for trial in (lost, alive):
        dead_process._storage.record_heartbeat(trial._trial_id)
    old = time.time() - 100
    os.utime(tmp_path / "search.log.beats" / str(lost._trial_id), (old, old))
    optuna.storages.fail_stale_trials(live_process)
    assert states(live_process) == [State.FAIL, State.RUNNING, State.RUNNING, State.WAITING]
    retried = live_process.ask()
    assert retried.suggest_float("x", 0, 1) == lost.params["x"]
    # A trial without any heartbeat is tracked since that check.
    os.utime(tmp_path / "search.log.beats" / str(without_heartbeat._trial_id), (old, old))
    optuna.storages.fail_stale_trials(live_process)
    assert states(live_process)[without_heartbeat.number] == State.FAIL


def test_processes_propose_different_points_and_restarts_the_same_ones(study):
    def proposals(*numbers):
        sampler = samplers.ByNumber(lambda seed: optuna.samplers.RandomSampler(seed=seed), 3)
        study_of_process, points = optuna.create_study(sampler=sampler), {}
        for number in range(max(numbers) + 1):
            trial = study_of_process.ask()
            if number in numbers:
                points[number] = trial.suggest_float("x", 0, 1)
        return points

    all_points = proposals(0, 1, 2, 3)
    assert len(set(all_points.values())) == 4
    assert proposals(1, 3) == {number: all_points[number] for number in (1, 3)}


def test_a_trial_that_another_search_trains_is_awaited(tmp_path):
    config, folder = configs.load("configs/cgan.py:tuned"), tmp_path / "trials" / "a"
    folder.parent.mkdir()
    with acquire(folder.with_suffix(".lock"), lambda: True), pytest.raises(Interrupted, match="continues"):
        one_trial.run([], config, folder, lambda *_: True, lambda: True)


def test_a_journal_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(UserError, match="storage=journal:.*cannot be opened"):
        storage.open_storage(f"journal:{tmp_path / 'none' / 'search.log'}")


PROCESS = """
import importlib, sys
from experiments.search import one_trial, storage, together
one_trial.COMMAND, one_trial._POLL_SECONDS = (sys.executable, sys.argv.pop(1)), 0.05
storage._BEAT_SECONDS, storage._GRACE_SECONDS = 1, 6
search = importlib.import_module("experiments.search.__main__")
search.cli.execute(search.main)
"""


@pytest.mark.slow
@pytest.mark.parametrize("address_template", ["journal:{}/search.log", "sqlite:///{}/search.db"])
def test_three_processes_of_which_one_is_killed(tmp_path, address_template):
    """All nine trials, of 1.5 seconds each, are completed, none is left running, and the report has all of them."""
    address = address_template.format(tmp_path)
    arguments = [stand_in_training.__file__, "--config", "configs/cgan.py:tuned", "--workdir", tmp_path / "w", RATES]
    arguments += ["--config.g_optimizer.b1=0.15", "--trials=9"]
    arguments += [f"--storage={address}", "--pruner=none", "--sampler=random"]
    start = lambda: subprocess.Popen([sys.executable, "-c", PROCESS, *map(str, arguments)], stdout=subprocess.PIPE)  # noqa: E731
    processes, deadline = [start() for _ in range(3)], time.monotonic() + 120
    try:
        while True:
            assert time.monotonic() < deadline
            time.sleep(0.2)
            if not (tmp_path / address.rpartition("/")[2]).exists():
                continue
            try:
                now = [trial.state for trial in recorded(address)]
            except (KeyError, UserError):
                continue
            if now.count(State.RUNNING) == 3 and State.COMPLETE in now:
                break
        processes[0].kill()
        printed = [process.communicate(timeout=120)[0].decode() for process in processes[1:]]
        assert [process.returncode for process in processes[1:]] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
    trials = recorded(address)
    complete = [trial for trial in trials if trial.state == State.COMPLETE]
    assert State.RUNNING not in [trial.state for trial in trials]
    (lost,) = (trial for trial in trials if trial.state == State.FAIL and trial.params)
    assert [trial.params for trial in trials].count(lost.params) == 2
    assert len(complete) == len({trial.params["g_optimizer.learning_rate"] for trial in complete}) == 9
    assert all("best " in text for text in printed)
    page = (tmp_path / "w" / "search.md").read_text()
    assert page.count("| completed |") == 9 + 1
    assert "9 trials, 0 of them stopped early or failed" in page
