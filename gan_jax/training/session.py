"""Trains a config in a workdir: the complete run, from loading the data to the last sample grid."""

import contextlib
import pathlib

from ml_collections import ConfigDict

from gan_jax.build import build, num_steps
from gan_jax.data.batches import batch_plan
from gan_jax.evaluation.instance_selection import num_kept
from gan_jax.runs.dataset import load_data
from gan_jax.semi_supervised.labels import training_batches
from gan_jax.system.interrupts import Interrupts
from gan_jax.training.calls import calls
from gan_jax.training.check import check
from gan_jax.training.ending import explain_divergence, outcome, report
from gan_jax.training.open_runs import open_runs
from gan_jax.training.programs import make_program


def train(config: ConfigDict, path: str, data_dir: str = "", init_from: str = "") -> pathlib.Path | None:
    """Trains `config` in the workdir `path`, or continues the run in it; returns the path of the last sample grid.

    If config.num_seeds > 1, each seed has its own workdir inside `path`, and the returned grid is that of the first
    completed seed. If several processes train together, only process 0 has a workdir; the others return None.
    init_from: the workdir of the run from whose last state a new run starts; "": it starts untrained.
    """
    dataset = load_data(config.data, data_dir, path)
    total = num_steps(config, num_kept(config.data, dataset.train.labels))
    gan = build(config, dataset.image_shape, dataset.num_classes, total)
    check(config, dataset, gan)  # Finds every user's mistake before anything is written.
    with (
        Interrupts() as interrupts,
        open_runs(config, path, dataset, gan, total, interrupts, data_dir, init_from) as runs,
    ):
        data = training_batches(config, dataset, runs.seeds, data_dir)
        step, states = runs.restore_or_init(data)
        with contextlib.closing(make_program(config, gan, runs.seeds, data, states)) as program:
            for call in calls(config, step, total):
                if runs.agree_to_stop():
                    break
                metrics = program.advance(call, runs.live)
                runs.remember(call, metrics)
                runs.write_previous_rows(program)  # While this call computes.
                if runs.is_due(call):
                    runs.score_and_save(call, program)
            runs.finish(program)
        report(runs, program.waited)
        if config.guard.debug:
            explain_divergence(gan, batch_plan(config), data, runs)
    return outcome(runs)
