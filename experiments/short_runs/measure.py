"""Trains and scores a short run. What its workdir does not record is written beside that."""

import os
import pathlib

import numpy as np
from ml_collections import ConfigDict

from experiments.benchmarks.machine import cpu_model
from experiments.jobs import records
from experiments.jobs.one_run import train
from experiments.short_runs.plan import ImageSet
from gan_jax import build
from gan_jax.data.dataset import Dataset
from gan_jax.data.duplicates import near_duplicates
from gan_jax.evaluation import features
from gan_jax.runs import initial_state, pictures
from gan_jax.runs.checkpoint import Checkpoints
from gan_jax.runs.load import load_run
from gan_jax.runs.protocol import Protocol
from gan_jax.runs.score import evaluate
from gan_jax.runs.workdir import Workdir
from gan_jax.system.files import read_table, write_sealed

PROTOCOL = Protocol(quick=True)  # The other scores need the features of all training images: minutes for each run.
_GRID_HEIGHT = 256  # pixels of images in a grid, so that its file stays small


def data_path(root: pathlib.Path, name: str) -> pathlib.Path:
    """The record of a data set; a run may have the same name."""
    return root / f"data-{name}.json"


def run_path(root: pathlib.Path, name: str) -> pathlib.Path:
    """What is measured of a run besides its workdir root/name."""
    return root / f"run-{name}.json"


def describe(path: pathlib.Path, image_set: ImageSet, dataset: Dataset) -> None:
    """Writes the record of a data set, if there is none yet."""
    if records.read(path):
        return
    splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    counts = {key: np.bincount(split.labels, minlength=dataset.num_classes).tolist() for key, split in splits.items()}
    entries = {"title": image_set.title, "side": dataset.image_shape[0], "classes": dataset.class_names}
    if image_set.finds_duplicates:
        images = dataset.in_memory()
        entries["near_duplicates"] = len(near_duplicates(images.train.images, images.test.images))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sealed(path, {**entries, "images": counts})


def train_run(name: str, config: ConfigDict, dataset: Dataset, root: pathlib.Path, data_dir: str) -> None:
    """Trains, or continues, the run in root/name; nothing if it has ended.

    Writes root/run-<name>.json: the processor, and the load averages at the start and at the end of each call.
    """
    folder, path = Workdir(str(root / name)), run_path(root, name)
    info = folder.run()
    if info.get("status", "running") not in ("running", "interrupted") and info["num_steps"] == config.num_steps:
        return
    if config.eval.every_steps:  # Before the run, so that its seconds do not contain the classifier's training.
        features.classifier(dataset, data_dir, config.eval.classifier_flips)
    measured = records.read(path) or {"cpu": cpu_model(), "load_averages": []}
    root.mkdir(parents=True, exist_ok=True)
    measured["load_averages"].append(os.getloadavg()[0])
    write_sealed(path, measured)  # Also for a call that is interrupted.
    train(config, folder, data_dir)
    measured["load_averages"].append(os.getloadavg()[0])
    write_sealed(path, measured)


def score_run(name: str, config: ConfigDict, dataset: Dataset, root: pathlib.Path, data_dir: str) -> None:
    """Scores the last state of a run that has no scores yet; of a run with few labels also the test errors by step.

    The scores are those of `python -m gan_jax.evaluate --quick`; the test errors are added to root/run-<name>.json.
    """
    folder, path = Workdir(str(root / name)), run_path(root, name)
    measured = records.read(path)
    if config.data.num_labels and "test_errors" not in measured:
        write_sealed(path, measured | {"test_errors": test_errors(str(folder.path), dataset)})
    scores = folder.path / PROTOCOL.file_name
    if not scores.is_file() or read_table(scores, "delete it")["step"] != folder.run()["step"]:
        evaluate(str(folder.path), PROTOCOL, data_dir)


def test_errors(path: str, dataset: Dataset) -> list[tuple[int, int]]:
    """(step, number of wrong classes of the TEST images) for each checkpoint. No decision depends on them."""
    run = load_run(path)
    checkpoints = Checkpoints(run.folder.checkpoints, run.config.keep_checkpoints)
    like = initial_state.abstract_state(run.gan, run.config.init_batch_size, run.image_shape)
    errors = []
    for step in checkpoints.steps():
        state = checkpoints.restore(step, like)
        predicted = run._replace(state=state, step=step).class_log_probabilities(dataset.test.images).argmax(axis=1)
        errors.append((step, int(np.sum(predicted != dataset.test.labels))))
    checkpoints.close()
    return errors


def grid(path: str) -> np.ndarray:
    """Samples of a run, seed 0, not selected: a column for each class if the generator takes labels."""
    run = load_run(path)
    conditional, side = build.is_conditional(run.config.generator), run.image_shape[0]
    columns = run.num_classes if conditional else 10
    labels = np.tile(np.arange(columns, dtype=np.int32) % run.num_classes, max(_GRID_HEIGHT // side, 1))
    return pictures.grid(run.generate(labels), columns, run.class_names if conditional else ())
