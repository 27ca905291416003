"""Saving and restoring a training state with Orbax. No other room imports orbax.

A checkpoint is the folder <step> with Orbax's files and, written last, manifest.json: the sha256 of each of them. A
folder without a manifest is a save or a deletion that was killed, and does not count; one that does not match its
manifest is refused before anything is read from it.
"""

import hashlib
import json
import pathlib
import shutil
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from gan_jax.system.errors import UserError
from gan_jax.system.files import write_text

# Of several processes one keeps the checkpoints, and no other is waited for.
_ALONE = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})
_MANIFEST = "manifest.json"


def _digests(folder: pathlib.Path) -> dict[str, str]:
    """sha256 of every file but the manifest, by its path inside the folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != _MANIFEST)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Checkpoints:
    """The checkpoints of one run, by step; the last `keep` of them are kept."""

    def __init__(self, folder: pathlib.Path, keep: int):
        self._folder, self._keep = folder.absolute(), keep
        handler = ocp.StandardCheckpointHandler(multiprocessing_options=_ALONE)
        self._checkpointer = ocp.Checkpointer(handler, multiprocessing_options=_ALONE)

    def steps(self) -> list[int]:
        """Every step that has a whole checkpoint."""
        found = self._folder.glob(f"*/{_MANIFEST}")
        return sorted(int(path.parent.name) for path in found if path.parent.name.isdigit())

    def remove_leftovers(self) -> None:
        """Removes what a killed save left. For the one process that trains: to others it may be a save under way."""
        if self._folder.is_dir():
            for leftover in self._folder.iterdir():
                if not (leftover / _MANIFEST).is_file():
                    shutil.rmtree(leftover, ignore_errors=True)

    def remove_after(self, step: int) -> None:
        """Removes the checkpoints of later steps: a run that resumes at `step` makes them again."""
        for later in (found for found in self.steps() if found > step):
            self._remove(later)

    def save(self, step: int, state: Any) -> None:
        """Returns when the checkpoint is whole on the disk."""
        folder = self._folder / str(step)
        if jax.process_count() > 1:  # Orbax takes a device's array for one that the other processes have a part of.
            state = jax.tree.map(np.asarray, state)
        self._checkpointer.save(folder, args=ocp.args.StandardSave(state), force=True)
        write_text(folder / _MANIFEST, json.dumps(_digests(folder), indent=2))
        for old in self.steps()[: -self._keep]:
            self._remove(old)

    def _remove(self, step: int) -> None:
        """The manifest goes first: what is left after a kill in between does not count."""
        (self._folder / str(step) / _MANIFEST).unlink()
        shutil.rmtree(self._folder / str(step))

    def restore(self, step: int, abstract_state: Any) -> Any:
        """The state of `step`, in the structure, shapes and types of `abstract_state` (from `jax.eval_shape`)."""
        self._verify(step)
        device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        target = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device), abstract_state
        )
        try:
            return self._checkpointer.restore(self._folder / str(step), args=ocp.args.StandardRestore(target))
        except Exception as error:  # Whole, so written by other code: Orbax raises many classes for that.
            reason = " ".join(str(error).split())[:160]
            raise UserError(
                f"checkpoint {self._folder / str(step)} does not fit this code and config: {reason}"
            ) from error

    def _verify(self, step: int) -> None:
        folder = self._folder / str(step)
        try:
            expected, found = json.loads((folder / _MANIFEST).read_text()), _digests(folder)
        except (OSError, ValueError):
            expected, found = {_MANIFEST: ""}, {}
        damaged = [name for name in expected if found.get(name) != expected[name]]
        if damaged or not expected:
            others = [other for other in self.steps() if other != step]
            remedy = f"continue from step {max(others)}" if others else "start again from step 0"
            raise UserError(f"checkpoint {folder} is damaged ({', '.join(damaged)}); delete that folder to {remedy}")

    def close(self) -> None:
        self._checkpointer.close()
