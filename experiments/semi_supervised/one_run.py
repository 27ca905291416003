"""One group of seeds, in a separate process: python -m experiments.semi_supervised.one_run FOLDER

FOLDER has config.json, and the seeds train in FOLDER/run. The runner starts this. Each seed writes, beside FOLDER:

- seed-<s>.json: its record
- seed-<s>.png: its last grid of samples
- seed-<s>-mistakes.png: test images that it classifies wrongly
- seed-<s>.npz: its discriminator's class probabilities of the test images, for ensembles
"""

import pathlib
import shutil

import numpy as np

from experiments.jobs import records
from experiments.jobs.one_run import parser, train
from gan_jax import cli
from gan_jax.data.dataset import Dataset, Split
from gan_jax.runs import pictures, seeds
from gan_jax.runs.dataset import without_source_folder
from gan_jax.runs.load import LoadedRun, load_run
from gan_jax.runs.records import read_metrics
from gan_jax.runs.workdir import Workdir
from gan_jax.semi_supervised.labels import label_subset
from gan_jax.system.files import atomic_write, write_sealed
from gan_jax.training import session

_ACCURACY = "validation_discriminator_accuracy"
_MOST_SHOWN, _COLUMNS = 100, 20  # images in a picture of mistakes, and its columns


def _seed_path(cell: pathlib.Path, seed: int, suffix: str) -> pathlib.Path:
    """The path of a seed's file with this suffix."""
    return cell / f"seed-{seed:03d}{suffix}"


def record_of(cell: pathlib.Path, seed: int) -> dict | None:
    """A seed's record; None if there is none yet."""
    return records.read(_seed_path(cell, seed, ".json"))


def grid_of(cell: pathlib.Path, seed: int) -> pathlib.Path:
    """The path of a seed's last grid of samples; the file may be missing."""
    return _seed_path(cell, seed, ".png")


def mistakes_of(cell: pathlib.Path, seed: int) -> pathlib.Path:
    """The path of the picture of wrongly classified test images; the file is missing if there are none."""
    return _seed_path(cell, seed, "-mistakes.png")


def probabilities_of(cell: pathlib.Path, seed: int) -> np.ndarray:
    """p(class | image) of the test images, float32 [N, K]."""
    with np.load(_seed_path(cell, seed, ".npz"), allow_pickle=False) as arrays:
        return arrays["probabilities"].astype(np.float32)


def _errors(trained: LoadedRun, split: Split, *, raw: bool = False) -> tuple[int, np.ndarray]:
    """(number of errors, probabilities [N, K]) of a split, by the EMA of the discriminator, or without EMA if `raw`."""
    log_p = trained.class_log_probabilities(split.images, raw=raw)
    return int(np.sum(log_p.argmax(axis=1) != split.labels)), np.exp(log_p)


def confusions(probabilities: np.ndarray, labels: np.ndarray, most: int = 5) -> list[list[int]]:
    """[true class, predicted class, number of images] of the most frequent mistakes.

    probabilities: [N, K]; labels: [N].
    """
    wrong = np.zeros((probabilities.shape[1],) * 2, int)
    np.add.at(wrong, (labels, probabilities.argmax(axis=1)), 1)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    mistakes = [[*map(int, np.unravel_index(i, wrong.shape)), int(wrong.flat[i])] for i in order]
    return [mistake for mistake in mistakes if mistake[2]]


def draw_mistakes(path: pathlib.Path, probabilities: np.ndarray, split: Split) -> None:
    """Writes a picture of wrongly classified images, the most frequent mistake first; no file if all are right."""
    predicted, labels = probabilities.argmax(axis=1), np.asarray(split.labels)
    shown = []
    for true_class, predicted_class, _ in confusions(probabilities, labels):
        shown += list(np.flatnonzero((labels == true_class) & (predicted == predicted_class)))
    if shown:
        pictures.write_png(path, pictures.grid(split.images[shown[:_MOST_SHOWN]], _COLUMNS))


def _record(trained: LoadedRun, cell: pathlib.Path, dataset: Dataset) -> dict:
    """Scores a seed, once, after its training. No decision depends on test images or on hidden training labels."""
    run, config, rows = trained.run_info, trained.config, read_metrics(trained.folder.metrics)
    test_errors, probabilities = _errors(trained, dataset.test)
    with atomic_write(_seed_path(cell, config.seed, ".npz")) as partial:
        np.savez_compressed(partial, probabilities=probabilities.astype(np.float16))
    draw_mistakes(mistakes_of(cell, config.seed), probabilities, dataset.test)
    validation_errors, _ = _errors(trained, dataset.validation)
    train_split = dataset.train.in_memory()
    per_epoch = len(dataset.train.labels) / (config.batch_size * config.d_steps)
    return {
        "status": run["status"],
        "seed": config.seed,
        "draw": label_subset(config.seed, config.data.num_label_subsets),
        "num_labels": config.data.num_labels,
        "epochs": trained.step / per_epoch,
        "seconds": run["seconds"],
        "test_errors": test_errors,
        "confusions": confusions(probabilities, dataset.test.labels),
        "test_errors_raw": _errors(trained, dataset.test, raw=True)[0],
        "num_test": len(dataset.test.labels),
        "validation_errors": validation_errors,
        "num_validation": len(dataset.validation.labels),
        "train_errors": _errors(trained, train_split)[0],
        "num_train": len(train_split.labels),
        "curve": [[row["step"] / per_epoch, 1 - row[_ACCURACY]] for row in rows if _ACCURACY in row],
        "frechet_distance": [row["validation_frechet_distance"] for row in rows if _ACCURACY in row][-1:],
        "provenance": records.provenance(run, "num_steps", "step") | {"data": without_source_folder(run["data"])},
    }


def work(folder: pathlib.Path, data_dir: str) -> None:
    """Trains the group, or continues it, and scores each seed."""
    config = records.read_config(folder)
    group = Workdir(str(folder / "run"))
    failure = train(config, group, data_dir)
    dataset, gan = session.load_data(config.data, data_dir), None
    for workdir in seeds.seed_workdirs(seeds.seeds_of(config), group):
        if failure and not workdir.checkpoints.is_dir():
            raise failure
        trained = load_run(str(workdir.path))
        # All seeds use the first seed's functions, so that these are compiled only once.
        gan = gan or trained.gan
        record = _record(trained._replace(gan=gan), folder.parent, dataset)
        if grid := workdir.last_grid():
            shutil.copyfile(grid, grid_of(folder.parent, trained.config.seed))
        write_sealed(_seed_path(folder.parent, trained.config.seed, ".json"), record)


def main() -> None:
    arguments = parser("semi_supervised", __doc__).parse_args()
    work(arguments.folder, arguments.data_dir)


if __name__ == "__main__":
    cli.execute(main)
