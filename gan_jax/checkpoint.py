"""Saving and restoring a training state with Orbax. No other room imports orbax."""

import pathlib
import shutil
from typing import Any

import jax
import orbax.checkpoint as ocp

from gan_jax.errors import UserError


class Checkpoints:
    """The checkpoints of one run, by step; the last `keep` of them are kept.

    A save is written under a temporary name and renamed when whole, so a kill in the middle leaves the last one intact.
    """

    def __init__(self, folder: pathlib.Path, keep: int):
        self._folder = folder.absolute()
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def remove_leftovers(self) -> None:
        """Removes what a killed save left. For the one process that trains: to others it may be a save under way."""
        for leftover in self._folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def latest_step(self) -> int | None:
        return self._manager.latest_step()

    def save(self, step: int, state: Any) -> None:
        """Returns when the checkpoint is whole on the disk."""
        self._manager.save(step, args=ocp.args.StandardSave(state))
        self._manager.wait_until_finished()

    def restore(self, step: int, abstract_state: Any) -> Any:
        """The state of `step`, in the structure, shapes and types of `abstract_state` (from `jax.eval_shape`)."""
        device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
        target = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device), abstract_state
        )
        try:
            return self._manager.restore(step, args=ocp.args.StandardRestore(target))
        except Exception as error:  # Orbax and its storage layer raise many classes; the remedy is the same.
            folder, others = self._folder / str(step), [s for s in self._manager.all_steps() if s != step]
            remedy = f"continue from step {max(others)}" if others else "start again from step 0"
            reason = " ".join(str(error).split())[:160]
            raise UserError(f"checkpoint {folder} is damaged; delete that folder to {remedy} ({reason})") from error

    def close(self) -> None:
        self._manager.close()
