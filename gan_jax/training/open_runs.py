"""Opens the workdirs of a run: process 0 makes, locks and closes them; the other processes have none."""

import contextlib
from collections.abc import Iterator

import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.dataset import Dataset
from gan_jax.devices import compiler, hosts
from gan_jax.gan.step import Gan
from gan_jax.runs.dataset import check_data, describe
from gan_jax.runs.provenance import provenance
from gan_jax.runs.seeds import has_ended, seed_config, seed_workdirs, seeds_of
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.interrupts import Interrupts
from gan_jax.training.recorder import Recorder
from gan_jax.training.seed_runs import SeedRuns
from gan_jax.training.status import SeedStatus


@contextlib.contextmanager
def open_runs(
    config: ConfigDict, path: str, dataset: Dataset, gan: Gan, total: int, interrupts: Interrupts, data_dir: str
) -> Iterator[SeedRuns]:
    """The seeds that are left to train in the workdir `path`, until they are closed."""
    about = {**provenance(), "data": describe(dataset), "status": "running", "num_steps": total}
    with hosts.lost_processes_named(), contextlib.ExitStack() as stack:
        hosts.check_same(configs.to_json(config) + about["data"]["fingerprint"])
        workdirs = _open_workdirs(config, path, about["data"], stack) if hosts.leads() else []
        statuses = [SeedStatus(seed, total) for seed in _left_to_train(seeds_of(config), workdirs)]
        sample, discriminate = compiler.jit(gan.sample), compiler.jit(gan.discriminate)
        recorders = [
            Recorder(
                config, status, workdirs[status.seed - config.seed], dataset, sample, discriminate, about, data_dir
            )
            for status in (statuses if workdirs else ())
        ]
        runs = SeedRuns(config, path, total, gan, dataset.image_shape, interrupts, statuses, recorders, workdirs)
        if workdirs and config.num_seeds > 1:
            stack.enter_context(_summed_up(Workdir(path), about, runs))
        try:
            yield runs
            hosts.leave()
        finally:
            for recorder in recorders:
                recorder.close(runs.seconds)


def _open_workdirs(config: ConfigDict, path: str, data: dict, stack: contextlib.ExitStack) -> list[Workdir]:
    """The workdir of each seed, made if need be; `stack` keeps the run's own one locked. data: from `describe`."""
    folder = Workdir(path)
    before = folder.run()
    if "data" in before:
        check_data(folder.path, before["data"], data)
    folder.start(config)
    stack.enter_context(folder.locked())
    seeds = seeds_of(config)
    workdirs = seed_workdirs(seeds, folder)
    for seed, workdir in zip(seeds, workdirs, strict=True) if len(seeds) > 1 else ():
        workdir.start(seed_config(config, seed))
    return workdirs


def _left_to_train(seeds: list[int], workdirs: list[Workdir]) -> list[int]:
    """The seeds that have not ended; a single one always, for its last records may be missing."""
    ended = [len(seeds) > 1 and has_ended(workdir) for workdir in workdirs] or [False] * len(seeds)
    ended = hosts.from_leader(np.array(ended, np.int32))
    return [seed for seed, seed_has_ended in zip(seeds, ended, strict=True) if not seed_has_ended]


@contextlib.contextmanager
def _summed_up(folder: Workdir, about: dict, runs: SeedRuns) -> Iterator[None]:
    """run.json of a run of several seeds, beside those of its seeds."""
    before = folder.run().get("seconds", 0.0)
    folder.update_run(**about)
    try:
        yield
    finally:
        step = max((status.step for status in runs.statuses), default=runs.total)
        status = "interrupted" if runs.live else "completed"
        folder.update_run(status=status, step=step, seconds=round(before + runs.seconds, 1))
