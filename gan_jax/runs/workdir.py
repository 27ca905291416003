"""The folder of one run: its config, its provenance, where everything in it lies."""

import contextlib
import datetime
import json
import os
import pathlib
from collections.abc import Iterator

from ml_collections import ConfigDict

from gan_jax.system import config as configs
from gan_jax.system.errors import InUse, UserError
from gan_jax.system.files import read_sealed, write_sealed, writing

try:
    import fcntl
except ImportError:  # Not on Windows: two processes are not kept apart there.
    fcntl = None

# Leaves that change where a run is computed, or what is told of it: not the run.
_NOT_THE_RUN = ("mesh: ", "guard.debug: ")


def default_path(config_spec: str) -> str:
    """runs/<config>-<time>, for example runs/cgan-tuned-20260131-093000."""
    name, _, variant = config_spec.partition(":")
    time = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return os.path.join("runs", "-".join(filter(None, [pathlib.Path(name).stem, variant, time])))


class Workdir:
    """Paths of a run, and its two JSON files."""

    def __init__(self, path: str):
        if ".." in pathlib.PurePath(path).parts:
            raise UserError(f"--workdir={path} holds '..'; give the folder's plain path")
        self.path = pathlib.Path(path)
        try:
            if self.path.exists() and not self.path.is_dir():
                raise UserError(f"--workdir={path} is a file; give a folder")
        except OSError as error:  # A name that is too long, or a folder that may not be looked into.
            raise UserError(f"--workdir={path} cannot be used: {error.strerror}") from error
        self.checkpoints, self.best = self.path / "checkpoints", self.path / "best"
        self.metrics = self.path / "metrics.jsonl"
        self.samples = self.path / "samples"
        self._config, self._run = self.path / "config.json", self.path / "run.json"

    def start(self, config: ConfigDict) -> None:
        """Makes the folder for a run of `config`, or checks that it already holds a run of the same.

        On other devices it is the same run.
        """
        if self._config.exists():
            recorded = self.config()
            configs.require_same_keys(recorded, config)
            changes = configs.differences(recorded, config)
            if changes := [line for line in changes if not line.startswith(_NOT_THE_RUN)]:
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

    def last_grid(self) -> pathlib.Path | None:
        """The samples of the latest step that has any."""
        return max(self.samples.glob("step-*.png"), default=None)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """The only process that trains here; InUse where another one does. Ends with the process at the latest."""
        with self._config.open("r+") as file:
            if fcntl:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise InUse(
                        f"--workdir={self.path}: another process trains there; wait for it, or choose another workdir"
                    ) from None
            yield

    def config(self) -> ConfigDict:
        """The config of the run that lies here."""
        return configs.from_json(json.dumps(self._read(self._config)))

    def run(self) -> dict:
        """run.json: provenance and status."""
        return self._read(self._run) if self._run.exists() else {}

    def update_run(self, **entries) -> None:
        write_sealed(self._run, {**self.run(), **entries})

    def _read(self, path: pathlib.Path) -> dict:
        if not path.exists():
            raise UserError(f"--workdir={self.path} holds no run ({path.name} is missing); train one there first")
        return read_sealed(path, "restore it, or train again in another workdir")
