"""Trains a config in a workdir: what is checked before, told of it after, and how it ends."""

import contextlib
import pathlib
import time

from ml_collections import ConfigDict

from gan_jax.devices import hosts
from gan_jax.runs import seeds, workdir
from gan_jax.runs.dataset import check_data, describe, load_data
from gan_jax.runs.provenance import provenance
from gan_jax.system import config as configs
from gan_jax.system.errors import Interrupted, TrainingFailed
from gan_jax.system.interrupts import Interrupts
from gan_jax.training.loop import Training


def train(config: ConfigDict, path: str, data_dir: str = "") -> pathlib.Path | None:
    """Trains `config` in the workdir `path`, or continues what lies there; returns the last sample grid.

    With config.num_seeds > 1 each seed has a workdir of its own inside, and the first one's grid is returned. Of
    several processes only the one that leads has a workdir; the others return None.
    """
    with Interrupts() as interrupts, contextlib.ExitStack() as held:
        try:
            return _train(config, workdir.Workdir(path), data_dir, interrupts, held)
        except Exception as error:
            if gone := hosts.lost(error):
                raise gone from error
            raise


def _train(
    config: ConfigDict, folder: workdir.Workdir, data_dir: str, interrupts: Interrupts, held: contextlib.ExitStack
) -> pathlib.Path | None:
    began, dataset = time.time(), load_data(config, data_dir)
    before, data = folder.run() if hosts.leads() else {}, describe(dataset)
    hosts.check_same(configs.to_json(config) + data["fingerprint"])
    if "data" in before:
        check_data(folder.path, before["data"], data)
    training = Training(config, folder, dataset, data_dir, held)
    if not hosts.leads():
        return _follow(training, interrupts)
    earlier = [run.folder.run() for run in training.runs]
    about = {**provenance(), "data": data, "status": "running", "num_steps": training.total}
    for place in (folder, *(run.folder for run in training.runs if run.folder is not folder)):
        place.update_run(**about)
    try:
        training.loop(interrupts)
        training.explain()
        training.save_grids()
        hosts.leave()
    finally:
        for run, old in zip(training.runs, earlier, strict=True):
            run.close(time.time() - began, old)
        if config.num_seeds > 1:
            seconds = before.get("seconds", 0.0) + time.time() - began
            status = "interrupted" if training.live else "completed"
            folder.update_run(status=status, step=training.step, seconds=round(seconds, 1))
    if training.stopped and training.live:
        raise Interrupted(
            f"{training.stopped}: saved at step {training.step} of {training.total}; run the same command with "
            f"--workdir={folder.path} to continue"
        )
    return _last_grid(training, seeds.members(config, folder))


def _follow(training: Training, interrupts: Interrupts) -> None:
    """What a process does that does not lead."""
    training.loop(interrupts)
    training.save_grids()
    hosts.leave()
    if training.stopped and training.live:
        raise Interrupted(f"{training.stopped}: process 0 saved at step {training.step} of {training.total}")
    if training.config.num_seeds == 1 and any(run.failure for run in training.runs):
        raise TrainingFailed("training has failed; process 0 says how")


def _last_grid(training: Training, everyone: list[tuple[ConfigDict, workdir.Workdir]]) -> pathlib.Path:
    """The grid of the first seed that has completed; a failed seed is an error where it is the only one, or all are."""
    failed = [run for run in training.runs if run.failure]
    completed = [place for _, place in everyone if place.run()["status"] == "completed"]
    if not completed:
        raise failed[0].failure if failed else TrainingFailed(f"every seed in {everyone[0][1].path.parent} failed")
    for run in failed:
        print(f"seed {run.config.seed}: {run.failure}")
    return completed[0].last_grid()
