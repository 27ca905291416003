"""Common parts of the processes of single runs: their arguments, and a training that may fail."""

import argparse
import pathlib

from ml_collections import ConfigDict

from gan_jax.runs.workdir import Workdir
from gan_jax.system.errors import TrainingFailed
from gan_jax.training import session


def parser(runner: str, description: str) -> argparse.ArgumentParser:
    """The parser of python -m experiments.RUNNER.one_run, with FOLDER and --data_dir."""
    run_parser = argparse.ArgumentParser(prog=f"python -m experiments.{runner}.one_run", description=description)
    run_parser.add_argument("folder", type=pathlib.Path)
    run_parser.add_argument("--data_dir", default="")
    return run_parser


def train(config: ConfigDict, workdir: Workdir, data_dir: str) -> TrainingFailed | None:
    """Trains, or continues a run. A run that collapsed or diverged is still scored, so its failure is returned."""
    try:
        session.train(config, str(workdir.path), data_dir)
    except TrainingFailed as failure:
        return failure
    return None
