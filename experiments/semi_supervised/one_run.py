"""One group of seeds, in a process of its own: python -m experiments.semi_supervised.one_run FOLDER

FOLDER holds config.json; the seeds train in FOLDER/run. Each leaves its record in seed-<s>.json beside FOLDER, its last
grid of samples in seed-<s>.png, test images that it takes for another class in seed-<s>-mistakes.png, and the
probabilities that its discriminator gives the test images in seed-<s>.npz, for ensembles. The runner starts this.
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
_MOST_SHOWN, _COLUMNS = 100, 20  # images in a picture of mistakes


def _left(cell: pathlib.Path, seed: int, suffix: str) -> pathlib.Path:
    """Where a seed leaves what is of that kind."""
    return cell / f"seed-{seed:03d}{suffix}"


def record_of(cell: pathlib.Path, seed: int) -> dict | None:
    """What a seed left, None while it has left nothing."""
    return records.read(_left(cell, seed, ".json"))


def grid_of(cell: pathlib.Path, seed: int) -> pathlib.Path:
    """Where a seed's last samples are, if it has drawn any."""
    return _left(cell, seed, ".png")


def mistakes_of(cell: pathlib.Path, seed: int) -> pathlib.Path:
    """Where the test images are that it takes for another class, if there are any."""
    return _left(cell, seed, "-mistakes.png")


def probabilities_of(cell: pathlib.Path, seed: int) -> np.ndarray:
    """p(class | image) of the test images, float32 [N, K]."""
    with np.load(_left(cell, seed, ".npz"), allow_pickle=False) as arrays:
        return arrays["probabilities"].astype(np.float32)


def _errors(trained: LoadedRun, split: Split, *, raw: bool = False) -> tuple[int, np.ndarray]:
    """(wrong classes, probabilities [N, K]) of a split, by the averaged discriminator unless `raw`."""
    log_p = trained.class_log_probabilities(split.images, raw=raw)
    return int(np.sum(log_p.argmax(axis=1) != split.labels)), np.exp(log_p)


def confusions(probabilities: np.ndarray, labels: np.ndarray, most: int = 5) -> list[list[int]]:
    """[class, taken for, images] of the most frequent mistakes; probabilities [N, K], labels [N]."""
    wrong = np.zeros((probabilities.shape[1],) * 2, int)
    np.add.at(wrong, (labels, probabilities.argmax(axis=1)), 1)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    found = [[*map(int, np.unravel_index(i, wrong.shape)), int(wrong.flat[i])] for i in order]
    return [mistake for mistake in found if mistake[2]]


def draw_mistakes(path: pathlib.Path, probabilities: np.ndarray, split: Split) -> None:
    """A picture of wrongly classified images, those of the most frequent mistake first; none where all are right."""
    taken_for, labels = probabilities.argmax(axis=1), np.asarray(split.labels)
    shown = []
    for true, other, _ in confusions(probabilities, labels):
        shown += list(np.flatnonzero((labels == true) & (taken_for == other)))
    if shown:
        pictures.write_png(path, pictures.grid(split.images[shown[:_MOST_SHOWN]], _COLUMNS))


def _record(trained: LoadedRun, cell: pathlib.Path, dataset: Dataset) -> dict:
    """Scores a seed, once, after its training; the test images and the training images' true labels decide nothing."""
    run, config, rows = trained.run_info, trained.config, read_metrics(trained.folder.metrics)
    test_errors, probabilities = _errors(trained, dataset.test)
    with atomic_write(_left(cell, config.seed, ".npz")) as partial:
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
    """Trains the group, or continues it, and scores each of its seeds."""
    config = records.read_config(folder)
    group = Workdir(str(folder / "run"))
    failure = train(config, group, data_dir)
    dataset, gan = session.load_data(config, data_dir), None
    for workdir in seeds.seed_workdirs(seeds.seeds_of(config), group):
        if failure and not workdir.checkpoints.is_dir():
            raise failure
        trained = load_run(str(workdir.path))
        # The functions of the first one, so that its compiled programs serve all.
        gan = gan or trained.gan
        record = _record(trained._replace(gan=gan), folder.parent, dataset)
        if grid := workdir.last_grid():
            shutil.copyfile(grid, grid_of(folder.parent, trained.config.seed))
        write_sealed(_left(folder.parent, trained.config.seed, ".json"), record)


def main() -> None:
    arguments = parser("semi_supervised", __doc__).parse_args()
    work(arguments.folder, arguments.data_dir)


if __name__ == "__main__":
    cli.execute(main)
