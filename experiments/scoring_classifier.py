"""How good must the scoring classifier be? python -m experiments.scoring_classifier --name cifar10

Trains the scoring classifier of a data set by its recipe, and worse ones with fewer steps. Each is scored on real
images that were made worse in known ways: by noise, by blur, by classes that are missing. In a useful classifier's
features, the Frechet distance to other real images grows with the strength. Both are test images, but not the same
ones. Writes scoring_classifier.json and .md to --output.
"""

import argparse
import dataclasses
import os
import pathlib
import sys
import time

import numpy as np

if not __package__:  # Started as a file: python experiments/scoring_classifier.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from experiments.benchmarks.machine import cpu_model
from experiments.jobs.arguments import check_at_least
from experiments.reporting import markdown, record
from gan_jax import cli
from gan_jax.data import sources
from gan_jax.data.dataset import Dataset, Split, hold_out
from gan_jax.evaluation.classifier import Classifier, train_classifier
from gan_jax.evaluation.classifier_check import weakness
from gan_jax.evaluation.metrics.accuracy import accuracy
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.recipes import FLIPS, Recipe, recipe_for
from gan_jax.runs.provenance import provenance
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

# way -> strengths, growing. noise: standard deviation, of 255. blur: standard deviation, pixels. missing: share of the
# classes, whose images are replaced by others.
STRENGTHS = {"noise": (4, 8, 16, 32), "blur": (0.4, 0.6, 0.8, 1.2), "missing": (0.1, 0.2, 0.4, 0.7)}
_NAMES = {"noise": "noise", "blur": "blur", "missing": "missing classes"}


def _noise(split: Split, strength: float, rng: np.random.Generator) -> np.ndarray:
    noisy = split.images + strength * rng.normal(size=split.images.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _blur(split: Split, strength: float, rng: np.random.Generator) -> np.ndarray:
    offsets = np.arange(-4, 5)
    weights = np.exp(-0.5 * np.square(offsets / strength))
    images, most = split.images.astype(np.float32), 4
    for axis in (1, 2):
        widths = [(most, most) if a == axis else (0, 0) for a in range(4)]
        padded, size = np.pad(images, widths, mode="edge"), images.shape[axis]
        windows = [np.take(padded, np.arange(size) + offset + most, axis) for offset in offsets]
        images = sum(w * window for w, window in zip(weights / weights.sum(), windows, strict=True))
    return np.rint(images).astype(np.uint8)


def _missing(split: Split, strength: float, rng: np.random.Generator) -> np.ndarray:
    classes = np.unique(split.labels)
    kept = np.isin(split.labels, classes[max(round(strength * len(classes)), 1) :])
    images = split.images.copy()
    images[~kept] = split.images[rng.choice(np.flatnonzero(kept), np.sum(~kept))]
    return images


_WAYS = {"noise": _noise, "blur": _blur, "missing": _missing}


def degraded_images(split: Split) -> dict[str, list[np.ndarray]]:
    """For each way the images, as they are and then worse and worse."""
    rng = np.random.default_rng(0)
    return {
        way: [split.images, *(_WAYS[way](split, strength, rng) for strength in strengths)]
        for way, strengths in STRENGTHS.items()
    }


def score(classify: Classifier, real: Split, images: dict[str, list[np.ndarray]], class_names: tuple[str, ...]) -> dict:
    """Accuracy of a classifier, and the Frechet distances of the degraded images to `real` in its features."""
    features, probabilities = classify(real.images)
    predicted = probabilities.argmax(axis=1)
    unchanged = frechet_distance(classify(next(iter(images.values()))[0])[0], features)
    distances = {
        way: [unchanged, *(frechet_distance(classify(worse)[0], features) for worse in row[1:])]
        for way, row in images.items()
    }
    steps = np.concatenate([np.diff(row) for row in distances.values()])
    return {
        "accuracy": accuracy(predicted, real.labels),
        "note": weakness(predicted, real.labels, class_names),
        "distances": distances,
        "pairs": len(steps),
        "pairs_in_order": int(np.sum(steps > 0)),
    }


def train(dataset: Dataset, recipe: Recipe) -> tuple[Classifier, dict]:
    """A classifier, and what its training took. Core seconds are processor time, which other programs hardly change."""
    start_time, start_core = time.monotonic(), time.process_time()
    trained = train_classifier(*dataset.train, dataset.num_classes, recipe)
    taken = {"seconds": time.monotonic() - start_time, "core_seconds": time.process_time() - start_core}
    return trained, {"num_steps": recipe.num_steps, **taken, "load_average": os.getloadavg()[0]}


def measure(dataset: Dataset, recipe: Recipe, num_steps: list[int], num_images: int) -> list[dict]:
    """The scores of one classifier for each number of training steps. num_images: of each set of images."""
    rows = np.random.default_rng(0).permutation(len(dataset.test.labels))
    num_images = min(num_images, len(rows) // 2)
    real, own = (dataset.test.select(part) for part in (rows[:num_images], rows[num_images : 2 * num_images]))
    images, results = degraded_images(own), []
    for number in num_steps:
        classify, row = train(dataset, dataclasses.replace(recipe, num_steps=number))
        test = accuracy(classify(dataset.test.images)[1].argmax(axis=1), dataset.test.labels)
        results.append(row | {"test_accuracy": test} | score(classify, real, images, dataset.class_names))
        print(f"{number} steps, {row['core_seconds']:.0f} core seconds: {test:.2%} of the test images", flush=True)
    return results


def page(result: dict) -> str:
    """The content of scoring_classifier.md."""
    origin = result["provenance"]
    head = ["steps", "core seconds", "accuracy", "pairs in order"]
    head += [f"{_NAMES[way]} {', '.join(map(str, (0, *strengths)))}" for way, strengths in STRENGTHS.items()]
    rows = [
        [
            row["num_steps"],
            f"{row['core_seconds']:.0f}",
            f"{row['test_accuracy']:.1%}{' (too weak)' if row['note'] else ''}",
            f"{row['pairs_in_order']} of {row['pairs']}",
            *(", ".join(f"{distance:.3g}" for distance in row["distances"][way]) for way in STRENGTHS),
        ]
        for row in result["classifiers"]
    ]
    loads = [row["load_average"] for row in result["classifiers"]]
    return f"""# The scoring classifier, trained for longer and longer

Written beside `scoring_classifier.json` by

    python -m experiments.scoring_classifier --name {result["data"]} --num_validation {result["num_validation"]}

Data {result["data"]}: {result["num_train"]} training images in batches of {result["recipe"]["batch_size"]}, and
{result["num_test"]} test images for the accuracy. Columns on the right: Frechet distances in the classifier's features,
of {result["num_images"]} test images to as many others, after noise (standard deviation, of 255), blur (standard
deviation, pixels) or with a share of the classes missing. A pair is in order if the distance grows with the strength.
"Too weak": an evaluation would warn. Core seconds: processor time of the training; two free cores take about half as
many seconds. One training each, seed {result["recipe"]["seed"]}.

{markdown.table(head, rows)}

{origin["cpu_cores"]} CPU cores ({result["cpu_model"]}), load average {min(loads):.1f} to {max(loads):.1f}, jax
{origin["versions"]["jax"]}, commit {markdown.commit(origin["commit"])}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.scoring_classifier", description=__doc__)
    parser.add_argument("--name", default="cifar10", help="config.data.name (cifar10)")
    parser.add_argument("--dir", default="", help="config.data.dir")
    parser.add_argument("--steps", default="", help="training steps with commas (1 to the recipe's)")
    parser.add_argument("--flips", default="auto", help="config.eval.classifier_flips (auto)")
    parser.add_argument("--num_validation", type=int, default=500, help="config.data.num_validation (500)")
    parser.add_argument("--num_images", type=int, default=1000, help="test images of each set (1000)")
    parser.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")
    parser.add_argument("--output", default="experiments/results", help="folder (experiments/results)")
    arguments = parser.parse_args()
    choose(FLIPS, arguments.flips, "--flips")
    check_at_least(2, num_images=arguments.num_images)
    dataset = sources.load(arguments.name, arguments.dir, data_dir=arguments.data_dir, stream="never")
    dataset = hold_out(dataset, arguments.num_validation)
    if dataset.num_classes == 1:
        raise UserError(f"--name={arguments.name} has one class, of which a classifier learns nothing")
    recipe = recipe_for(dataset.image_shape, len(dataset.train.labels), arguments.flips)
    numbers = _numbers(arguments.steps, recipe)
    write(dataset, recipe, numbers, arguments.num_images, pathlib.Path(arguments.output))


def _numbers(text: str, recipe: Recipe) -> list[int]:
    """The numbers of steps to train for; without `text`, from 1 to that of the recipe."""
    if not text:
        return [*(number for number in (1, 10, 30, 100, 300) if number < recipe.num_steps), recipe.num_steps]
    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError:
        raise UserError(f"--steps={text}: whole numbers with commas, such as 100,1000") from None
    check_at_least(1, steps=min(numbers))
    return numbers


def write(dataset: Dataset, recipe: Recipe, num_steps: list[int], num_images: int, output: pathlib.Path) -> None:
    """Measures, and writes both files."""
    result = {
        "data": dataset.name,
        "fingerprint": dataset.fingerprint(),
        "num_train": len(dataset.train.labels),
        "num_validation": len(dataset.validation.labels) if dataset.validation else 0,
        "num_test": len(dataset.test.labels),
        "num_images": num_images,
        "recipe": dataclasses.asdict(recipe),
        "classifiers": measure(dataset, recipe, num_steps, num_images),
        "cpu_model": cpu_model(),
        "provenance": provenance(),
    }
    print(f"wrote {record.write(output, 'scoring_classifier', result, page(result))}")


if __name__ == "__main__":
    cli.execute(main)
