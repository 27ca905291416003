"""Scores a trained run: python -m gan_jax.evaluate --workdir W [--features digits|pixels|inception] [--num_images N]

Nothing may be chosen by the test split: to choose, hold images out (--config.data.num_validation in training) and
score on them with --split validation.
"""

import argparse
import json
from typing import NamedTuple

import numpy as np

from gan_jax import build, cli, train, workdir
from gan_jax.config import choose
from gan_jax.data.dataset import Dataset, Split
from gan_jax.drawing import balanced_labels
from gan_jax.errors import UserError
from gan_jax.evaluation.accuracy import accuracy
from gan_jax.evaluation.scores import Seen, by_class, scores
from gan_jax.features import EXTRACTORS
from gan_jax.networks.heads import CLASS_HEADS
from gan_jax.trained import load


class Protocol(NamedTuple):
    """What a score depends on besides the run."""

    num_images: int = 10_000
    features: str = "digits"
    split: str = "test"
    generator: str = "averaged"
    seed: int = 0

    @property
    def file_name(self) -> str:
        """evaluation.json for the usual protocol, else with what is other in its name."""
        others = [a for a, b in zip(self[1:4], Protocol()[1:4], strict=True) if a != b]
        return "-".join(["evaluation", *others]) + ".json"


USUAL = Protocol()


def _split(dataset: Dataset, name: str) -> Split:
    if name == "validation" and dataset.validation is None:
        raise UserError("--split validation: this run held no images out; train with --config.data.num_validation=1000")
    return getattr(dataset, name)


def evaluate(path: str, protocol: Protocol = USUAL, data_dir: str = "", inception_weights: str = "") -> dict:
    """Writes evaluation.json of the newest checkpoint and returns it.

    Every score in gan_jax/evaluation of `num_images` generated images, quantised as an image file would be, in the
    features named. <score>_floor is what as many TRAINING images get (what else it is for a few: evaluation/scores.py),
    <score>_standard_error what other images would change.
    """
    choose(EXTRACTORS, protocol.features, "--features")
    trained = load(path)
    dataset = train.load_data(trained.config, data_dir)
    train.check_data(path, trained.run["data"], train.describe(dataset))
    split = _split(dataset, protocol.split)
    extract, name = EXTRACTORS[protocol.features](dataset, data_dir, inception_weights)
    averaged = bool(trained.config.generator.average_decay) and protocol.generator == "averaged"
    conditions = balanced_labels(protocol.num_images, dataset.num_classes)
    images = trained.draw(conditions, protocol.seed, raw=not averaged)
    order = np.random.default_rng(protocol.seed).permutation(len(dataset.train.labels))
    all_train = _see(extract, dataset.train)
    chosen = order[: protocol.num_images]
    seen = {
        "generated": _see(extract, Split(images, conditions)),
        "real": _see(extract, split),
        "train": Seen(*(None if part is None else part[chosen] for part in all_train)),
    }
    conditional = build.is_conditional(trained.config)
    result = {
        "step": trained.step,
        "data": dataset.name,
        "requested_data": dataset.requested,
        "split": protocol.split,
        "features": name,
        "generator": "averaged" if averaged else "last",
        "norm_mode": "running statistics",
        "seed": protocol.seed,
        "num_generated": protocol.num_images,
        "num_real": len(split.labels),
        "num_floor": len(chosen),
        **workdir.provenance(),
    }
    for score, values in scores(**seen, all_train=all_train.features, conditional=conditional).items():
        result |= {
            score: values.value,
            f"{score}_floor": values.floor,
            f"{score}_standard_error": values.standard_error,
        }
    if conditional:
        result |= by_class(seen["generated"], seen["real"], dataset.num_classes)
    if trained.config.discriminator.head in CLASS_HEADS:
        result["discriminator_accuracy"] = accuracy(trained.classify(split.images), split.labels)
    text = json.dumps(result, indent=2, sort_keys=True) + "\n"
    workdir.write_text(trained.folder.path / protocol.file_name, text)
    return result


def _see(extract, split: Split) -> Seen:
    features, probabilities = extract(split.images)
    return Seen(features, split.labels, probabilities)


# score -> (how it is printed, name for people); in the order of the table.
_ROWS = {
    "conditional_accuracy": ("{:.2%}", "conditional accuracy"),
    "classifier_score": ("{:.2f}", "classifier score (Inception score's formula)"),
    "frechet_distance": ("{:.2f}", "Frechet distance"),
    "frechet_distance_extrapolated": ("{:.2f}", "  extrapolated to infinitely many images"),
    "kernel_distance": ("{:.4f}", "kernel distance"),
    "precision": ("{:.2%}", "precision"),
    "recall": ("{:.2%}", "recall"),
    "density": ("{:.3f}", "density"),
    "coverage": ("{:.2%}", "coverage"),
    "two_sample_accuracy": ("{:.2%}", "1-NN real against generated (50%: alike)"),
    "different_bins": ("{:.2%}", "statistically different bins"),
    "nearer_to_train": ("{:.2%}", "nearer to train than held out (50%: no copies)"),
}


def table(result: dict) -> str:
    """A result as people read it."""
    data = result["data"]
    if data != result["requested_data"]:
        data += f" (fallback: {result['requested_data']} could not be had)"
    lines = [
        f"data {data}, {result['split']} split, step {result['step']}, {result['generator']} generator, features "
        f"{result['features']}",
        f"{'':<50}{'generated':>12}{'+-':>10}{'real images':>14}",
    ]
    for score, (form, name) in _ROWS.items():
        if score in result:
            error = result[f"{score}_standard_error"]
            spread = "" if error is None else form.format(error)
            value, floor = (form.format(result[key]) for key in (score, f"{score}_floor"))
            lines.append(f"{name:<50}{value:>12}{spread:>10}{floor:>14}")
    if "discriminator_accuracy" in result:
        own = f"{result['discriminator_accuracy']:.2%}"
        lines.append(f"{'D as a classifier, accuracy on real images':<50}{own:>12}")
    lines.append(
        f"{result['num_generated']} generated against {result['num_real']} {result['split']} images; +- is a standard "
        f"error; real images: {result['num_floor']} training images against the same split"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gan_jax.evaluate", description=__doc__, allow_abbrev=False)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num_images", type=int, default=10_000)
    parser.add_argument("--features", default="digits", help=f"{', '.join(EXTRACTORS)} (default digits)")
    parser.add_argument("--inception_weights", default="", help="file of the 2015 network, for --features inception")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--generator", choices=("averaged", "raw"), default="averaged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data_dir", default="", help="where prepared data lies (default: the user's cache folder)")
    arguments = parser.parse_args()
    if arguments.num_images < 2:
        raise UserError(f"--num_images={arguments.num_images}: must be at least 2")
    words = vars(arguments)
    protocol = Protocol(**{name: words[name] for name in Protocol._fields})
    print(table(evaluate(arguments.workdir, protocol, arguments.data_dir, arguments.inception_weights)))


if __name__ == "__main__":
    cli.execute(main)
