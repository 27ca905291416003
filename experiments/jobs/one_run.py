"""What the processes of single runs share: their arguments, and a training whose failure is a result."""

import argparse
import pathlib

from ml_collections import ConfigDict

from gan_jax.runs.workdir import Workdir
from gan_jax.system.errors import TrainingFailed
from gan_jax.training import session


def parser(runner: str, description: str) -> argparse.ArgumentParser:
    """For FOLDER and --data_dir of python -m experiments.RUNNER.one_run."""
    made = argparse.ArgumentParser(prog=f"python -m experiments.{runner}.one_run", description=description)
    made.add_argument("folder", type=pathlib.Path)
    made.add_argument("--data_dir", default="")
    return made


def train(config: ConfigDict, workdir: Workdir, data_dir: str) -> TrainingFailed | None:
    """Trains, or continues; returns the failure of a run that collapsed or diverged: it is scored as it is."""
    try:
        session.train(config, str(workdir.path), data_dir)
    except TrainingFailed as failure:
        return failure
    return None
