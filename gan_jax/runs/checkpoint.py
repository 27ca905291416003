"""Saves and restores training states with Orbax. No other module imports orbax.

A checkpoint is a folder <step> with the files of Orbax and manifest.json, which is written last and contains the sha256
of every file. A folder without a manifest is an unfinished save or deletion and is ignored. If a folder does not match
its manifest, it is refused before Orbax reads it.
"""

import hashlib
import json
import pathlib
import shutil
from collections.abc import Collection
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from gan_jax.gan.types import GanState, Player
from gan_jax.system.errors import UserError
from gan_jax.system.files import write_text

# If several processes train, process 0 alone saves, without waiting for the others.
_ALONE = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})
_MANIFEST = "manifest.json"


def _digests(folder: pathlib.Path) -> dict[str, str]:
    """Relative path -> sha256 of every file except the manifest."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != _MANIFEST)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def saved_steps(folder: pathlib.Path) -> list[int]:
    """The steps that have a complete checkpoint in a folder, in ascending order."""
    manifests = folder.glob(f"*/{_MANIFEST}")
    return sorted(int(path.parent.name) for path in manifests if path.parent.name.isdigit())


def _to_saved(state: Any) -> Any:
    """A training state as it is saved: without `tracked` if it is empty, as in states of earlier versions."""
    if isinstance(state, Player):
        return {name: value for name, value in state._asdict().items() if name != "tracked" or value}
    return {name: _to_saved(value) for name, value in state._asdict().items()} if isinstance(state, GanState) else state


def _from_saved(saved: Any, like: Any) -> Any:
    """The inverse of `_to_saved`. like: a state of the same structure."""
    if isinstance(like, Player):
        return Player(**saved)
    if isinstance(like, GanState):
        return GanState(**{name: _from_saved(saved[name], getattr(like, name)) for name in GanState._fields})
    return saved


class Checkpoints:
    """The checkpoints of one run, by step. Only the last `keep` checkpoints are kept."""

    def __init__(self, folder: pathlib.Path, keep: int):
        self._folder, self._keep = folder.absolute(), keep
        handler = ocp.StandardCheckpointHandler(multiprocessing_options=_ALONE)
        self._checkpointer = ocp.Checkpointer(handler, multiprocessing_options=_ALONE)

    def steps(self) -> list[int]:
        """The steps that have a complete checkpoint, in ascending order."""
        return saved_steps(self._folder)

    def remove_leftovers(self) -> None:
        """Removes incomplete checkpoints of killed saves.

        Only the process that trains may call it: for any other process, such a folder may be a save in progress.
        """
        if self._folder.is_dir():
            for leftover in self._folder.iterdir():
                if not (leftover / _MANIFEST).is_file():
                    shutil.rmtree(leftover, ignore_errors=True)

    def remove_after(self, step: int) -> None:
        """Removes the checkpoints of later steps; a run that resumes at `step` writes them again."""
        self.remove_except([saved_step for saved_step in self.steps() if saved_step <= step])

    def remove_except(self, steps: Collection[int]) -> None:
        """Removes the checkpoints of all other steps."""
        for other_step in (saved_step for saved_step in self.steps() if saved_step not in steps):
            self._remove(other_step)

    def save(self, step: int, state: Any) -> None:
        """Writes a checkpoint; returns when it is complete on the disk."""
        folder = self._folder / str(step)
        if jax.process_count() > 1:  # Orbax assumes that a device array is shared by all processes.
            state = jax.tree.map(np.asarray, state)
        self._checkpointer.save(folder, args=ocp.args.StandardSave(_to_saved(state)), force=True)
        write_text(folder / _MANIFEST, json.dumps(_digests(folder), indent=2))
        for old_step in self.steps()[: -self._keep]:
            self._remove(old_step)

    def _remove(self, step: int) -> None:
        """Deletes the manifest first, so that a kill during the deletion leaves a folder that is ignored."""
        (self._folder / str(step) / _MANIFEST).unlink()
        shutil.rmtree(self._folder / str(step))

    def restore(self, step: int, abstract_state: Any) -> Any:
        """The state of `step`, with the structure, shapes and types of `abstract_state` (from `jax.eval_shape`).

        UserError if the checkpoint is damaged, or was saved by other code or for another config.
        """
        self._verify(step)
        device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        target = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device), abstract_state
        )
        try:
            arguments = ocp.args.StandardRestore(_to_saved(target))
            return _from_saved(self._checkpointer.restore(self._folder / str(step), args=arguments), target)
        except Exception as error:  # Undamaged, so saved by other code: Orbax raises many classes of errors.
            reason = " ".join(str(error).split())[:160]
            raise UserError(
                f"checkpoint {self._folder / str(step)} does not fit this code and config: {reason}"
            ) from error

    def _verify(self, step: int) -> None:
        """UserError if the files do not match the manifest."""
        folder = self._folder / str(step)
        try:
            expected, actual = json.loads((folder / _MANIFEST).read_text()), _digests(folder)
        except (OSError, ValueError):
            expected, actual = {_MANIFEST: ""}, {}
        damaged = [name for name in expected if actual.get(name) != expected[name]]
        if damaged or not expected:
            other_steps = [other for other in self.steps() if other != step]
            remedy = f"continue from step {max(other_steps)}" if other_steps else "start again from step 0"
            raise UserError(f"checkpoint {folder} is damaged ({', '.join(damaged)}); delete that folder to {remedy}")

    def close(self) -> None:
        self._checkpointer.close()
