"""Scores any set of images against any other: folders, zip archives, .npz files, data sets by name."""

import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

from gan_jax.data import find, idx
from gan_jax.data.classes import index_classes
from gan_jax.data.dataset import Dataset, Split
from gan_jax.data.sources import load_images
from gan_jax.data.splits import split_off_test
from gan_jax.evaluation.compare import compare
from gan_jax.evaluation.features import EXTRACTORS, ONE_CLASS, num_features
from gan_jax.evaluation.sizes import check_sizes
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

_HELD_OUT = 0.1  # share of real images of a set without a test split that the classifier is not trained on


class ImageSet(NamedTuple):
    """A set of images with the splits that it has. class_names: of the labels; () if it has none."""

    source: str
    splits: dict[str, Split]
    class_names: tuple[str, ...]

    @property
    def images(self) -> Split:
        """The images of all splits together."""
        parts = self.splits.values()
        return Split(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))


def _request(text: str) -> tuple[str, str]:
    """(data.name, data.dir) of an argument: a path of this machine, or the name of a data set."""
    path = pathlib.Path(os.path.expanduser(text))
    if path.is_file():
        kinds = [kind for kind, files in find.OF_FILES.items() if path.suffix.lower() in files.suffixes]
        if not kinds:
            suffixes = ", ".join(suffix for files in find.OF_FILES.values() for suffix in files.suffixes)
            raise UserError(f"{text}: give a folder, a file that ends in one of {suffixes}, or the name of a data set")
        return kinds[0], text
    if path.is_dir():
        kinds = {"npz": (path / "train.npz").is_file(), "idx": idx.any_in(path)}
        return next((kind for kind, is_there in kinds.items() if is_there), "folder"), text
    if os.sep in text and not text.startswith("hf:"):
        raise UserError(f"{text} is no file and no folder of this machine")
    return text, ""


def load_set(text: str, data_dir: str = "", **options: Any) -> ImageSet:
    """The set that an argument names. options: fields of `Settings` (data/settings.py)."""
    images, found = load_images(*_request(text), data_dir, **options)
    splits, class_names = {name: split.in_memory() for name, split in images.splits.items()}, ()
    if images.class_names != ():
        splits, class_names, _ = index_classes(splits, images.class_names)
    return ImageSet(f"{found.name} from {found.source}", splits, class_names)


def _check_shapes(real: ImageSet, generated: ImageSet) -> None:
    shapes = [image_set.splits["train"].images.shape[1:] for image_set in (real, generated)]
    if shapes[0] != shapes[1]:
        (height, _, channels), (_, _, other) = shapes
        sizes = " and ".join(" x ".join(map(str, shape)) for shape in shapes)
        raise UserError(
            f"the real images are {sizes.replace(' and ', ', the generated ones ')} (height x width x channels); add "
            f"--image_size {height} --channels {min(channels, other, 3)} to convert both"
        )


def _real_dataset(real: ImageSet, needs_held_out: bool) -> tuple[Dataset, bool]:
    """(the real set as a data set, whether its training images are others than those that are compared).

    Without a test split all images are compared; for a classifier, a tenth of each class that it is not trained on.
    """
    splits, are_others = dict(real.splits), True
    if "test" not in splits and needs_held_out:
        splits["train"], splits["test"] = split_off_test(splits["train"], real.source, _HELD_OUT)
    elif "test" not in splits:
        splits["test"], are_others = splits["train"], False
    return Dataset(
        real.source, find.Source(real.source), real.source, **splits, class_names=real.class_names
    ), are_others


def _conditions(generated: ImageSet, class_names: tuple[str, ...]) -> np.ndarray | None:
    """The classes of the generated images as positions in `class_names`; None without labels, or with other classes."""
    if not generated.class_names or not set(generated.class_names) <= set(class_names):
        return None
    return np.array([class_names.index(name) for name in generated.class_names], np.int32)[generated.images.labels]


def score_sets(
    real: ImageSet,
    generated: ImageSet,
    features: str = "classifier",
    *,
    num_images: int = 0,
    quick: bool = False,
    seed: int = 0,
    data_dir: str = "",
    inception_weights: str = "",
) -> dict:
    """Every score of `gan-jax evaluate` that needs no run, as the entries of its result.

    The real images are the test split if the set has one, and its training images are what copies are looked for in.
    num_images: of the generated ones, chosen at random by `seed`; 0: all.
    quick: without the scores that need every training image.
    UserError for images of different shapes, too few images, or features that need what is not there.
    """
    make = choose(EXTRACTORS, features, "--features")
    _check_shapes(real, generated)
    trains = features == "classifier" and len(real.class_names) > 1
    dataset, has_train = _real_dataset(real, needs_held_out=trains)
    images, conditions = generated.images, _conditions(generated, real.class_names)
    if num_images > len(images.labels):
        raise UserError(f"--num_images={num_images}: there are {len(images.labels)} generated images")
    if num_images:
        rows = np.random.default_rng(seed).permutation(len(images.labels))[:num_images]
        images, conditions = images.select(rows), None if conditions is None else conditions[rows]
    train = dataset.train if has_train and not quick else None
    counts = len(images.labels), len(dataset.test.labels), len(dataset.train.labels)
    check_sizes(features, num_features(features, dataset), *counts, quick=train is None)
    extract, name = make(dataset, data_dir, inception_weights, "auto")
    result = {
        "data": real.source,
        "generated": generated.source,
        "features": name,
        "num_features": num_features(features, dataset),
        "num_generated": counts[0],
        "num_real": counts[1],
        "num_train": counts[2] if has_train else 0,
        "seed": seed,
    }
    if features == "classifier" and not trains:
        result["features_note"] = ONE_CLASS
    has_conditions = conditions is not None and len(real.class_names) > 1
    return result | compare(
        extract,
        images._replace(labels=conditions) if has_conditions else images,
        dataset.test,
        train,
        dataset.validation,
        dataset.class_names,
        has_conditions=has_conditions,
        knows_classes=trains,
    )
