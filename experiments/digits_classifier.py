"""Trains the fixed classifier of MNIST's digits: python -m experiments.digits_classifier --idx FOLDER

FOLDER has MNIST as IDX files (docs/data.md). The training images are MNIST's 60,000 without the test images of
mnist_5k, which are among them. No test image chooses anything: recipe and number of steps are fixed. Writes digits.npz
and digits.json beside gan_jax/evaluation/digits.py. Scores in the features of other weights do not compare, so this
is not run again without a reason.
"""

import argparse
import json
import pathlib
import sys

import jax
import numpy as np
from flax import traverse_util

if not __package__:  # Started as a file: python experiments/digits_classifier.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from gan_jax import cli
from gan_jax.data import idx, mnist_5k
from gan_jax.data.dataset import Split
from gan_jax.evaluation import digits
from gan_jax.evaluation.classifier import Classifier, train_classifier
from gan_jax.evaluation.metrics.accuracy import accuracy
from gan_jax.runs.provenance import provenance
from gan_jax.system import cache, files
from gan_jax.system.errors import UserError
from gan_jax.system.progress import Progress


def _hashes(split: Split) -> np.ndarray:
    return digits.image_hashes(*split)


def _accuracy(trained: Classifier, split: Split) -> float:
    return accuracy(trained(split.images)[1].argmax(axis=1), split.labels)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.digits_classifier", description=__doc__)
    parser.add_argument("--idx", required=True, help="folder of MNIST as IDX files")
    folder = pathlib.Path(parser.parse_args().idx)
    train, test = (idx.load_split(folder, name) for name in ("train", "test"))
    if not idx.is_mnist(train, test):
        raise UserError(f"--idx={folder} has other images than MNIST's; give the folder of its four files")
    small_train, small_test = mnist_5k.load()
    is_held_out = np.isin(_hashes(train), _hashes(small_test))
    progress = Progress(digits.RECIPE.num_steps, 0, "classifier of digits")
    trained = train_classifier(*train.select(~is_held_out), 10, digits.RECIPE, progress.update)
    progress.close()
    # Half the precision is half the size. What is measured below are the rounded weights.
    rounded = jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), trained.variables)
    trained = trained._replace(variables=jax.tree.map(lambda leaf: leaf.astype(np.float32), rounded))
    others = np.concatenate([_hashes(train.select(is_held_out)), _hashes(test)])
    hashes = {"trained_hashes": np.sort(_hashes(train.select(~is_held_out))), "other_hashes": np.sort(others)}
    cache.write(digits.PATH, traverse_util.flatten_dict(rounded, sep="/") | hashes)
    record = {
        "command": "python -m experiments.digits_classifier --idx FOLDER",
        "weights": trained.digest,
        "num_train": int(np.sum(~is_held_out)),
        "num_left_out": int(np.sum(is_held_out)),
        "num_steps": digits.RECIPE.num_steps,
        "accuracy_mnist_test": _accuracy(trained, test),
        "accuracy_mnist_5k_test": _accuracy(trained, small_test),
        "accuracy_mnist_5k_train": _accuracy(trained, small_train),
        **provenance(),
    }
    files.write_text(digits.PATH.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    cli.execute(main)
