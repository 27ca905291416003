"""Storage of a search's trials, for one or several processes: a database, or a journal file on a shared folder."""

import contextlib
import pathlib
import tempfile
import time
from collections.abc import Iterator

import optuna
from optuna.storages import JournalStorage
from optuna.storages._heartbeat import BaseHeartbeat  # Private: Optuna has no public heartbeats for a journal.
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from sqlalchemy.exc import DBAPIError

from gan_jax.system.errors import UserError

_JOURNAL = "journal:"
# If a trial's process has sent no heartbeat for _GRACE_SECONDS (a power cut, a kill), the trial is tried again.
_BEAT_SECONDS, _GRACE_SECONDS = 20, 90
_RETRIES = 3
_OPENINGS = 3  # If processes start together, one makes the tables; the others may see incomplete tables and try again.


class Journal(JournalStorage, BaseHeartbeat):
    """Optuna's journal with heartbeats: the process of a running trial touches FILE.beats/<trial>.

    All times are the file system's, so the machines' clocks may differ.
    """

    def __init__(self, path: pathlib.Path):
        super().__init__(JournalFileBackend(str(path)))
        self._beats = path.with_name(f"{path.name}.beats")
        self._beats.mkdir(exist_ok=True)

    def record_heartbeat(self, trial_id: int) -> None:
        (self._beats / str(trial_id)).touch()

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        with tempfile.NamedTemporaryFile(dir=self._beats) as file:
            now = pathlib.Path(file.name).stat().st_mtime
        stale = []
        for trial in self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,)):
            beat = self._beats / str(trial._trial_id)
            # A trial that died before its first heartbeat gets its first one here.
            beat.touch() if not beat.exists() else None
            if now - beat.stat().st_mtime > _GRACE_SECONDS:
                stale.append(trial._trial_id)
        return stale

    def get_heartbeat_interval(self) -> int:
        return _BEAT_SECONDS

    def get_heartbeat_stale_trial_callback(self) -> optuna.storages.RetryHeartbeatStaleTrialCallback:
        return optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=_RETRIES)


def _database(address: str) -> optuna.storages.RDBStorage:
    options = {
        "engine_kwargs": {"connect_args": {"timeout": 60}} if address.startswith("sqlite") else None,
        "heartbeat_interval": _BEAT_SECONDS,
        "grace_period": _GRACE_SECONDS,
        "heartbeat_stale_trial_callback": optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=_RETRIES),
    }
    for _ in range(_OPENINGS - 1):
        with contextlib.suppress(DBAPIError):
            return optuna.storages.RDBStorage(address, **options)
        time.sleep(1)
    return optuna.storages.RDBStorage(address, **options)


def open_storage(argument: str) -> optuna.storages.BaseStorage:
    """Opens journal:FILE or a URL for SQLAlchemy; UserError if it cannot be opened."""
    address, make = argument, _database
    if address.startswith(_JOURNAL):
        address, make = address.removeprefix(_JOURNAL), lambda path: Journal(pathlib.Path(path))
    try:
        return make(address)
    except Exception as error:  # SQLAlchemy and each database driver have their own exceptions.
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"--storage={argument} cannot be opened: {reason}") from None


@contextlib.contextmanager
def opened(argument: str) -> Iterator[optuna.storages.BaseStorage]:
    """`open_storage` for the duration of the block. Optuna itself never closes the connections of a database."""
    storage = open_storage(argument)
    try:
        yield storage
    finally:
        if isinstance(storage, optuna.storages.RDBStorage):
            storage.remove_session()
            storage.engine.dispose()
