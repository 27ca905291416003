"""Scores a trained run: the protocol, one evaluation, those of all seeds, and the table at the end of a training."""

import json
import logging
import math
import pathlib
from typing import NamedTuple

import numpy as np

from gan_jax import build
from gan_jax.data.dataset import Dataset, Split
from gan_jax.evaluation.features import EXTRACTORS, cached_classifier, fresh_classifier
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.evaluation.metrics.accuracy import accuracy
from gan_jax.evaluation.metrics.scores import Score, Seen, by_class, scores
from gan_jax.evaluation.table import table
from gan_jax.networks.heads import CLASS_HEADS
from gan_jax.runs import seeds, workdir
from gan_jax.runs.dataset import scoring_data
from gan_jax.runs.load import load_run
from gan_jax.runs.provenance import provenance
from gan_jax.system import files
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


class Protocol(NamedTuple):
    """What a score depends on besides the run."""

    num_images: int = 10_000
    seed: int = 0
    features: str = "classifier"
    split: str = "test"
    generator: str = "ema"
    checkpoint: str = "newest"
    train_on_generated: bool = False
    quick: bool = False

    @property
    def file_name(self) -> str:
        """evaluation.json for the usual protocol, else with what is other in its name."""
        usual = Protocol()._asdict()
        others = [
            name if value is True else value
            for name, value in self._asdict().items()
            if name not in ("num_images", "seed") and value != usual[name]
        ]
        return "-".join(["evaluation", *others]) + ".json"


USUAL = Protocol()


def _split(dataset: Dataset, name: str) -> Split:
    if name == "validation" and dataset.validation is None:
        raise UserError("--split validation: this run held no images out; train with --config.data.num_validation=500")
    return getattr(dataset, name)


def _see(extract, split: Split) -> Seen:
    features, probabilities = extract(split.images)
    return Seen(features, split.labels, probabilities)


def classification_accuracy_score(
    generated: Split, train: Split, real: Split, num_classes: int, data_dir: str
) -> Score:
    """Accuracy on real images of a classifier that was trained on generated ones (arXiv 1905.10887).

    A generated image's label is the condition that it was made for. `real` is the accuracy of the same recipe on
    as many real training images. The standard error is that of a share of so many test images; one training each.
    """
    classifiers = (
        fresh_classifier(generated, num_classes, "classifier of generated images"),
        cached_classifier(train, num_classes, data_dir)[0],
    )
    value, best = (accuracy(classify(real.images)[1].argmax(axis=1), real.labels) for classify in classifiers)
    return Score(value, best, math.sqrt(value * (1 - value) / len(real.labels)))


def evaluate(path: str, protocol: Protocol = USUAL, data_dir: str = "", inception_weights: str = "") -> dict:
    """Writes evaluation.json of a run's newest (or best) checkpoint and returns it.

    Every score in gan_jax/evaluation of `num_images` generated images, quantised as an image file would be, in the
    features named. <score>_real is the score of as many TRAINING images (for a few scores see
    evaluation/metrics/scores.py), <score>_standard_error the standard error over images.
    """
    choose(EXTRACTORS, protocol.features, "--features")
    run = load_run(path, protocol.checkpoint)
    dataset = scoring_data(path, run.config, run.run_info, data_dir)
    conditional, num_classes = build.is_conditional(run.config), dataset.num_classes
    if protocol.train_on_generated and not conditional:
        raise UserError("--train_on_generated needs generated images with labels, and this generator takes none")
    split = _split(dataset, protocol.split)
    extract, name = EXTRACTORS[protocol.features](dataset, data_dir, inception_weights)
    use_ema = bool(run.config.generator.ema_decay) and protocol.generator == "ema"
    conditions = balanced_labels(protocol.num_images, num_classes)
    generated = Split(run.generate(conditions, protocol.seed, raw=not use_ema), conditions)
    chosen = np.random.default_rng(protocol.seed).permutation(len(dataset.train.labels))[: protocol.num_images]
    train = Split(*(part[chosen] for part in dataset.train))
    seen = {name: _see(extract, part) for name, part in (("generated", generated), ("real", split), ("train", train))}
    all_train = None if protocol.quick else _see(extract, dataset.train).features
    result = {
        "step": run.step,
        "checkpoint": protocol.checkpoint,
        "training_seed": run.config.seed,
        "data": dataset.name,
        "requested_data": dataset.requested,
        "split": protocol.split,
        "features": name,
        "generator": "ema" if use_ema else "last",
        "norm_mode": "running statistics",
        "seed": protocol.seed,
        "num_generated": protocol.num_images,
        "num_real": len(split.labels),
        "num_train_scored": len(chosen),
        "num_train": len(dataset.train.labels),
        **provenance(),
    }
    found = scores(**seen, all_train=all_train, conditional=conditional)
    if protocol.train_on_generated:
        found["classification_accuracy_score"] = classification_accuracy_score(
            generated, train, split, num_classes, data_dir
        )
    for score, values in found.items():
        result |= {
            score: values.value,
            f"{score}_real": values.real,
            f"{score}_standard_error": values.standard_error,
        }
    if conditional:
        result |= by_class(seen["generated"], seen["real"], num_classes)
    if run.config.discriminator.head in CLASS_HEADS:
        result["discriminator_accuracy"] = accuracy(
            run.class_log_probabilities(split.images).argmax(axis=1), split.labels
        )
    _keep(run.folder.path / protocol.file_name, result)
    return result


def _keep(path: pathlib.Path, result: dict) -> None:
    """Writes a result; where a folder is only for reading it is shown all the same."""
    try:
        files.write_text(path, json.dumps(result, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        if files.disk_is_full(error):
            raise
        logging.getLogger(__name__).warning("%s is not written: %s", path, error.strerror)


def _completed(path: str) -> list[str]:
    """The workdirs to score in a workdir: itself, or those of its seeds that have completed."""
    folder = workdir.Workdir(path)
    config = folder.config()
    if config.num_seeds == 1:
        return [path]
    every = seeds.seed_workdirs(seeds.seeds_of(config), folder)
    completed = [str(each.path) for each in every if each.run().get("status") == "completed"]
    if not completed:
        raise UserError(f"--workdir={path} has no seed that has completed; run the training command again")
    return completed


def _summary(path: str, protocol: Protocol, results: list[dict]) -> dict:
    """The one result of a run of one seed; of several, what they say together, written beside them."""
    folder = workdir.Workdir(path)
    return results[0] if folder.config().num_seeds == 1 else seeds.write_summary(folder, protocol.file_name, results)


def evaluate_seeds(path: str, protocol: Protocol = USUAL, data_dir: str = "", inception_weights: str = "") -> dict:
    """`evaluate`; of a run of several seeds for each of them, with their mean and standard deviation."""
    results = [evaluate(place, protocol, data_dir, inception_weights) for place in _completed(path)]
    return _summary(path, protocol, results)


def final_table(path: str, num_images: int, data_dir: str = "") -> str:
    """The scores of a finished run: of its last state, and of the best by validation where that is another one."""
    newest, best = Protocol(num_images), Protocol(num_images, checkpoint="best")
    places = _completed(path)
    last = [evaluate(place, newest, data_dir) for place in places]
    result = _summary(path, newest, last)
    if not all(workdir.Workdir(place).best.is_dir() for place in places):
        return table(result)
    same = [load_run(place, "best").step == scored["step"] for place, scored in zip(places, last, strict=True)]
    if all(same):
        return table(result) + "\nthe last step also had the best validation score"
    others = [
        scored if equal else evaluate(place, best, data_dir)
        for place, scored, equal in zip(places, last, same, strict=True)
    ]
    return table(result, _summary(path, best, others))
