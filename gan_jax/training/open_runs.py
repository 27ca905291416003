"""Opens the workdirs of a run. Process 0 makes, locks and closes them; other processes have no workdirs."""

import contextlib
from collections.abc import Iterator

import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.dataset import Dataset
from gan_jax.devices import compiler, hosts
from gan_jax.gan.step import Gan
from gan_jax.runs.dataset import check_data, describe
from gan_jax.runs.init_from import read_origins, store_origins
from gan_jax.runs.provenance import provenance
from gan_jax.runs.seeds import has_ended, seed_config, seed_workdirs, seeds_of
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system import parts
from gan_jax.system.interrupts import Interrupts
from gan_jax.training.extension import check_extension
from gan_jax.training.recorder import Recorder
from gan_jax.training.seed_runs import SeedRuns
from gan_jax.training.status import SeedStatus


@contextlib.contextmanager
def open_runs(
    config: ConfigDict,
    path: str,
    dataset: Dataset,
    gan: Gan,
    total: int,
    interrupts: Interrupts,
    data_dir: str,
    init_from: str,
) -> Iterator[SeedRuns]:
    """Context manager: the runs of all unfinished seeds in the workdir `path`; closes them at the end."""
    run_info = {**provenance(), "data": describe(dataset), "status": "running", "num_steps": total}
    if registered := parts.used(config):
        run_info["parts"] = registered
    with hosts.lost_processes_named(), contextlib.ExitStack() as stack:
        hosts.check_same(configs.to_json(config) + run_info["data"]["fingerprint"])
        workdirs = []
        if hosts.leads():
            origins = read_origins(init_from, Workdir(path), config, gan, dataset.image_shape)
            workdirs = _open_workdirs(config, path, run_info["data"], total, stack)
            store_origins(origins, Workdir(path), dict(zip(seeds_of(config), workdirs, strict=True)))
        statuses = [SeedStatus(seed, total) for seed in _unfinished(config, total, workdirs)]
        sample, discriminate = compiler.jit(gan.sample), compiler.jit(gan.discriminate)
        recorders = [
            Recorder(
                config, status, workdirs[status.seed - config.seed], dataset, sample, discriminate, run_info, data_dir
            )
            for status in (statuses if workdirs else ())
        ]
        runs = SeedRuns(config, path, total, gan, dataset.image_shape, interrupts, statuses, recorders, workdirs)
        if workdirs and config.num_seeds > 1:
            stack.enter_context(_parent_run_info(Workdir(path), run_info, runs))
        try:
            yield runs
            hosts.leave()
        finally:
            for recorder in recorders:
                recorder.close(runs.seconds)


def _open_workdirs(config: ConfigDict, path: str, data: dict, total: int, stack: contextlib.ExitStack) -> list[Workdir]:
    """Makes the workdir of each seed if it is missing, and locks the workdir of the run.

    data: result of `describe`. stack: releases the lock when it closes.
    """
    folder = Workdir(path)
    before = folder.run()
    if "data" in before:
        check_data(folder.path, before["data"], data)
    folder.start(config)
    stack.enter_context(folder.locked())
    check_extension(folder, config, total)
    folder.record(config)
    seeds = seeds_of(config)
    workdirs = seed_workdirs(seeds, folder)
    for seed, workdir in zip(seeds, workdirs, strict=True) if len(seeds) > 1 else ():
        workdir.start(seed_config(config, seed))
        workdir.record(seed_config(config, seed))
        # A seed that has ended is not trained again, but it is scored: its images may have moved.
        if has_ended(workdir, config, total) and workdir.run()["data"] != data:
            workdir.update_run(data=data)
    return workdirs


def _unfinished(config: ConfigDict, total: int, workdirs: list[Workdir]) -> list[int]:
    """The seeds that have not ended. A single seed is always included, because its last records may be missing."""
    seeds = seeds_of(config)
    ended = [len(seeds) > 1 and has_ended(workdir, config, total) for workdir in workdirs] or [False] * len(seeds)
    ended = hosts.from_leader(np.array(ended, np.int32))
    return [seed for seed, seed_has_ended in zip(seeds, ended, strict=True) if not seed_has_ended]


@contextlib.contextmanager
def _parent_run_info(folder: Workdir, run_info: dict, runs: SeedRuns) -> Iterator[None]:
    """Writes run.json in the parent folder of several seeds: at the start, and at the end with the final status."""
    before = folder.run().get("seconds", 0.0)
    folder.update_run(**run_info)
    try:
        yield
    finally:
        step = max((status.step for status in runs.statuses), default=runs.total)
        status = "interrupted" if runs.live else "completed"
        folder.update_run(status=status, step=step, seconds=round(before + runs.seconds, 1))
