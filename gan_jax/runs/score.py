"""Scores trained runs: the evaluation of one run or of all its seeds, and the final table of a training."""

import json
import logging
import math
import pathlib

import numpy as np

from gan_jax import build
from gan_jax.data.dataset import Dataset, Split
from gan_jax.evaluation.compare import compare, entries
from gan_jax.evaluation.features import EXTRACTORS, ONE_CLASS, cached_classifier, fresh_classifier, num_features
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.evaluation.metrics.accuracy import accuracy
from gan_jax.evaluation.metrics.scores import Score
from gan_jax.evaluation.sizes import check_sizes, few_images
from gan_jax.evaluation.table import table
from gan_jax.networks.build import has_ema
from gan_jax.networks.heads import CLASS_HEADS
from gan_jax.runs import seeds, workdir
from gan_jax.runs.dataset import scoring_data
from gan_jax.runs.load import LoadedRun, load_run
from gan_jax.runs.protocol import DEFAULT_PROTOCOL, SCORES_VERSION, Protocol
from gan_jax.runs.provenance import provenance
from gan_jax.runs.samplers import make_sampler
from gan_jax.runs.standing import with_standing_statistics
from gan_jax.system import files
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


def _select_split(dataset: Dataset, name: str) -> Split:
    if name == "validation" and dataset.validation is None:
        raise UserError("--split validation: this run held no images out; train with --config.data.num_validation=500")
    return getattr(dataset, name)


def classification_accuracy_score(
    generated: Split, train: Split, real: Split, num_classes: int, data_dir: str, flips: str = "auto"
) -> Score:
    """Accuracy on real images of a classifier that was trained on generated images (arXiv 1905.10887).

    The label of a generated image is its condition. `real` of the result is the accuracy of a classifier that was
    trained on the real images of `train` by the same recipe. The standard error is binomial, over the real images: each
    classifier is trained once, so it does not have the variation between trainings. flips:
    config.eval.classifier_flips.
    """
    of_real, _ = cached_classifier(train, num_classes, data_dir, flips)
    of_generated = fresh_classifier(generated, num_classes, of_real.recipe, "classifier of generated images")
    value, real_value = (
        accuracy(classify(real.images)[1].argmax(axis=1), real.labels) for classify in (of_generated, of_real)
    )
    return Score(value, real_value, math.sqrt(value * (1 - value) / len(real.labels)))


def evaluate(
    path: str,
    protocol: Protocol = DEFAULT_PROTOCOL,
    data_dir: str = "",
    inception_weights: str = "",
    images_dir: str = "",
) -> dict:
    """Scores the generated images of a run by every metric of evaluation/metrics; writes the result and returns it.

    Generated images are quantised to uint8, as in an image file.
    images_dir: as `folder` of `scoring_data`.
    <score>_real: the same score of held-out real images (see evaluation/metrics/scores.py).
    <score>_standard_error: the standard error over images.
    scores_version: see runs/protocol.py.
    """
    choose(EXTRACTORS, protocol.features, "--features")
    run = load_run(path, protocol.checkpoint)
    sample = make_sampler(protocol.sampler, run.gan, run.config)
    if protocol.standing_passes:
        run = with_standing_statistics(run, protocol.standing_passes)
    dataset = scoring_data(path, run.config.data, run.run_info, data_dir, images_dir)
    conditional, num_classes = build.is_conditional(run.config.generator), dataset.num_classes
    if protocol.train_on_generated and not conditional:
        raise UserError("--train_on_generated needs generated images with labels, and this generator takes none")
    if protocol.train_on_generated and num_classes == 1:
        raise UserError("--train_on_generated trains a classifier, and all images have one class; leave it out")
    split = _select_split(dataset, protocol.split)
    _check_sizes(dataset, split, protocol)
    flips = run.config.eval.classifier_flips
    extract, features_name = EXTRACTORS[protocol.features](dataset, data_dir, inception_weights, flips)
    use_ema = has_ema(run.config.generator) and protocol.generator == "ema"
    conditions = balanced_labels(protocol.num_images, num_classes)
    state = run.state if use_ema else run.state.without_ema()
    generated = Split(sample(state, conditions, protocol.seed), conditions)
    # Against the validation images themselves, none are left to compare with.
    validation = dataset.validation if protocol.split != "validation" else None
    # Inception's probabilities are of the classes of ImageNet.
    knows_classes = protocol.features == "classifier" and num_classes > 1
    result = _settings(run, dataset, protocol, features_name, use_ema)
    result |= compare(
        extract,
        generated,
        split,
        None if protocol.quick else dataset.train,
        validation,
        dataset.class_names,
        has_conditions=conditional,
        knows_classes=knows_classes,
    )
    if protocol.train_on_generated:
        rows = np.random.default_rng(protocol.seed).permutation(len(dataset.train.labels))[: protocol.num_images]
        score = classification_accuracy_score(
            generated, dataset.train.select(rows), split, num_classes, data_dir, flips
        )
        result |= entries("classification_accuracy_score", score)
    if num_classes == 1 and protocol.features == "classifier":
        result["features_note"] = ONE_CLASS
    if run.config.discriminator.head in CLASS_HEADS:
        result["discriminator_accuracy"] = accuracy(
            run.class_log_probabilities(split.images).argmax(axis=1), split.labels
        )
    _write_result(run.folder.path / protocol.file_name, result)
    return result


def _check_sizes(dataset: Dataset, split: Split, protocol: Protocol) -> None:
    """UserError for too few or too many images; a warning if there are fewer than features. split: the real images."""
    size, real = num_features(protocol.features, dataset), len(split.labels)
    train = len(dataset.train.labels)
    check_sizes(protocol.features, size, protocol.num_images, real, train, quick=protocol.quick)
    if line := few_images(size, protocol.num_images, real):
        logging.getLogger(__name__).warning(line)


def _settings(run: LoadedRun, dataset: Dataset, protocol: Protocol, features: str, use_ema: bool) -> dict:
    """The entries of a result that describe how it was computed. features: name of the features."""
    return {
        "scores_version": SCORES_VERSION,
        "step": run.step,
        "checkpoint": protocol.checkpoint,
        "training_seed": run.config.seed,
        "data": dataset.name,
        "requested_data": dataset.requested,
        "split": protocol.split,
        "features": features,
        "num_features": num_features(protocol.features, dataset),
        "generator": "ema" if use_ema else "last",
        "sampler": protocol.sampler,
        "norm_mode": f"{protocol.standing_passes} standing batches"
        if protocol.standing_passes
        else "running statistics",
        "seed": protocol.seed,
        "num_generated": protocol.num_images,
        "num_real": len(_select_split(dataset, protocol.split).labels),
        "num_train": len(dataset.train.labels),
        **provenance(),
    }


def _write_result(path: pathlib.Path, result: dict) -> None:
    """Writes a result as JSON; if the folder is read-only, only warns, so that the result is still printed."""
    try:
        files.write_text(path, json.dumps(result, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        if files.disk_is_full(error):
            raise
        logging.getLogger(__name__).warning("%s is not written: %s", path, error.strerror)


def _workdirs_to_score(path: str) -> list[str]:
    """`path` itself for a run of one seed, otherwise the workdirs of all completed seeds; UserError without any."""
    folder = workdir.Workdir(path)
    config = folder.config()
    if config.num_seeds == 1:
        return [path]
    seed_workdirs = seeds.seed_workdirs(seeds.seeds_of(config), folder)
    completed = [str(seed.path) for seed in seed_workdirs if seed.run().get("status") == "completed"]
    if not completed:
        raise UserError(f"--workdir={path} has no seed that has completed; run the training command again")
    return completed


def _summary(path: str, protocol: Protocol, results: list[dict]) -> dict:
    """The result of a run of one seed; for several seeds their summary, which is also written to `path`."""
    folder = workdir.Workdir(path)
    if folder.config().num_seeds == 1:
        return results[0]
    summary = seeds.summarize(results)
    _write_result(folder.path / protocol.file_name, summary)
    return summary


def evaluate_seeds(path: str, protocol: Protocol = DEFAULT_PROTOCOL, *folders: str) -> dict:
    """`evaluate` for a run of any number of seeds; the result of several seeds is their mean and standard deviation.

    folders: the other arguments of `evaluate`.
    """
    results = [evaluate(seed_path, protocol, *folders) for seed_path in _workdirs_to_score(path)]
    return _summary(path, protocol, results)


def final_table(path: str, num_images: int, data_dir: str = "") -> str:
    """The table of scores of a finished run: of its last state and, if it is another, of its best by validation."""
    newest, best = Protocol(num_images), Protocol(num_images, checkpoint="best")
    paths = _workdirs_to_score(path)
    last_results = [evaluate(seed_path, newest, data_dir) for seed_path in paths]
    result = _summary(path, newest, last_results)
    if not all(workdir.Workdir(seed_path).best.is_dir() for seed_path in paths):
        return table(result)
    last_is_best = [
        load_run(seed_path, "best").step == last["step"] for seed_path, last in zip(paths, last_results, strict=True)
    ]
    if all(last_is_best):
        return table(result) + "\nthe last step also had the best validation score"
    best_results = [
        last if is_best else evaluate(seed_path, best, data_dir)
        for seed_path, last, is_best in zip(paths, last_results, last_is_best, strict=True)
    ]
    return table(result, _summary(path, best, best_results))
