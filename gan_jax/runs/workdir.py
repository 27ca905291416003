"""The folder of one run: the paths of its files, its config.json and its run.json."""

import contextlib
import datetime
import errno
import logging
import os
import pathlib
from collections.abc import Iterator

from ml_collections import ConfigDict

from gan_jax.system import config as configs
from gan_jax.system import parts, recorded
from gan_jax.system.errors import InUse, UserError
from gan_jax.system.files import read_sealed, write_sealed, writing

try:
    import fcntl
except ImportError:  # Windows has no fcntl: two processes in one workdir are not detected there.
    fcntl = None

# Settings that do not change what a run computes: where it is computed, what is recorded, when it is stopped, where its
# images are. They may differ when the same run continues; config.json then has the new values. What the images are is
# checked by their fingerprint (runs/dataset.py).
_MAY_DIFFER = (
    *("data.name: ", "data.dir: ", "data.fallback: ", "data.image_size: ", "data.channels: "),
    *("mesh: ", "guard.", "eval.", "data.stream: ", "data.stream_workers: "),
    # The fingerprint of the data says whether these change an image.
    *("data.resize: ", "data.background: ", "data.test_share: ", "data.axes: "),
    *("data.image_column: ", "data.label_column: "),
    "records: ",
    *("log_every_steps: ", "sample_every_steps: ", "checkpoint_every_steps: ", "keep_checkpoints: "),
)
# Settings that may grow. training/extension.py checks whether the run can.
_MAY_GROW = ("num_steps: ", "num_epochs: ", "num_seeds: ")
# The errors of file systems without locks.
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


def default_path(config_spec: str) -> str:
    """runs/<config>-<time>-<process>, for example runs/cgan-tuned-20260131-093000-4711.

    The number of the process keeps apart runs that start in the same second.
    """
    name, variant = configs.split_spec(config_spec)
    time = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return os.path.join("runs", "-".join(filter(None, [pathlib.Path(name).stem, variant, time, str(os.getpid())])))


class Workdir:
    """The paths of a run's files, and access to config.json and run.json. UserError for an unusable path."""

    def __init__(self, path: str):
        if not str(path):
            raise UserError("--workdir= names no folder; give one, or leave it out of a training command")
        if ".." in pathlib.PurePath(path).parts:
            raise UserError(f"--workdir={path} holds '..'; give the folder's plain path")
        if "://" in str(path):
            raise UserError(f"--workdir={path} is an address; give a folder of this machine")
        try:
            self.path = pathlib.Path(path).expanduser()
        except RuntimeError as error:  # There is no such user, or no home folder.
            raise UserError(f"--workdir={path}: {error}") from error
        try:
            if self.path.exists() and not self.path.is_dir():
                raise UserError(f"--workdir={path} is a file; give a folder")
        except OSError as error:  # The name is too long, or a parent folder is not readable.
            raise UserError(f"--workdir={path} cannot be used: {error.strerror}") from error
        self.checkpoints, self.best = self.path / "checkpoints", self.path / "best"
        self.metrics = self.path / "metrics.jsonl"
        self.samples = self.path / "samples"
        self._config, self._run = self.path / "config.json", self.path / "run.json"

    def start(self, config: ConfigDict) -> None:
        """Makes the folder for a run of `config`, or checks that it already contains a run of this config.

        The run may continue on other devices. UserError for another config, or for a folder with other files.
        """
        if self._config.exists():
            changes = configs.differences(self.config(), config)
            if changes := [line for line in changes if not line.startswith((*_MAY_DIFFER, *_MAY_GROW))]:
                raise UserError(
                    f"--workdir={self.path} holds a run of another config; choose another workdir or undo: "
                    + "; ".join(changes)
                )
            return
        with writing(f"--workdir={self.path}"):
            if self.path.is_dir() and any(self.path.iterdir()):
                raise UserError(f"--workdir={self.path} is not empty and holds no run; choose another folder")
            self.path.mkdir(parents=True, exist_ok=True)
            write_sealed(self._config, config.to_dict())
            self.samples.mkdir(exist_ok=True)

    def record(self, config: ConfigDict) -> None:
        """Writes the settings that have changed since the run started to config.json. Call it in a locked workdir."""
        if configs.differences(self.config(), config):
            write_sealed(self._config, config.to_dict())

    def last_grid(self) -> pathlib.Path | None:
        """The sample grid of the latest step; None without a grid."""
        return max(self.samples.glob("step-*.png"), default=None)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the workdir for training; InUse if another process trains here. A lock ends with its process.

        A file system without locks gets a warning.
        """
        with self._config.open("r+") as file:
            if fcntl:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise InUse(
                        f"--workdir={self.path}: another process trains there; wait for it, or choose another workdir"
                    ) from None
                except OSError as error:
                    if error.errno not in _NO_LOCKS:
                        raise
                    logging.getLogger(__name__).warning(
                        "%s cannot be locked (%s): do not train there in two processes", self.path, error.strerror
                    )
            yield

    def config(self) -> ConfigDict:
        """The config of the run, from config.json, with every key of today."""
        parts.require(self.run().get("parts", ()), self.path)  # Its config has their keys.
        return recorded.from_tree(self._read(self._config))

    def run(self) -> dict:
        """The content of run.json (provenance and status); {} if there is no run.json."""
        return self._read(self._run) if self._run.exists() else {}

    def update_run(self, **entries) -> None:
        """Adds entries to run.json, or replaces them."""
        write_sealed(self._run, {**self.run(), **entries})

    def _read(self, path: pathlib.Path) -> dict:
        if not path.exists():
            raise UserError(f"--workdir={self.path} holds no run ({path.name} is missing); train one there first")
        return read_sealed(path, "restore it, or train again in another workdir")
