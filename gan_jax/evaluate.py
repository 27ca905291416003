"""Scores a trained run on the test split: python -m gan_jax.evaluate --workdir W [--num_images 10000]"""

import argparse
import json

import numpy as np

from gan_jax import build, cli, features, sample, train, workdir
from gan_jax.drawing import balanced_labels
from gan_jax.errors import UserError
from gan_jax.evaluation.accuracy import accuracy, per_class_accuracy
from gan_jax.evaluation.frechet import frechet_distance
from gan_jax.networks.heads import CLASS_HEADS


def evaluate(path: str, num_images: int, data_dir: str = "") -> dict:
    """Writes evaluation.json of the newest checkpoint and returns it.

    Conditional accuracy and Frechet distance of `num_images` generated images, quantised as an image file would be,
    against the test split, in the features of a classifier trained on the TRAIN split. `floor` is what real images
    score: the classifier's accuracy on the test split, and the distance between as many training images and the test
    split. `discriminator_accuracy`, for heads with class logits: how often D itself names a test image's class.
    """
    trained = sample.load(path)
    dataset = train.load_data(trained.config, data_dir)
    train.check_data(path, trained.run["data"], train.describe(dataset))
    classify, digest = features.classifier(dataset, data_dir)
    labels = balanced_labels(num_images, dataset.num_classes)
    predicted, generated = classify(trained.draw(labels))
    test_predicted, test_features = classify(dataset.test.images)
    chosen = np.random.default_rng(0).permutation(len(dataset.train.labels))[:num_images]
    _, train_features = classify(dataset.train.images[chosen])
    result = {
        "step": trained.step,
        "data": dataset.name,
        "requested_data": dataset.requested,
        "split": "test",
        "features": f"classifier-{digest}",
        "generator": "averaged" if trained.config.generator.average_decay else "last",
        "norm_mode": "running statistics",
        "seed": 0,
        "num_generated": num_images,
        "num_test": len(dataset.test.labels),
        "num_floor": len(chosen),
        "conditional_accuracy": accuracy(predicted, labels),
        "conditional_accuracy_floor": accuracy(test_predicted, dataset.test.labels),
        "per_class_accuracy": per_class_accuracy(predicted, labels, dataset.num_classes),
        "frechet_distance": frechet_distance(generated, test_features),
        "frechet_distance_floor": frechet_distance(train_features, test_features),
        **workdir.provenance(),
    }
    if trained.config.discriminator.head in CLASS_HEADS:
        result["discriminator_accuracy"] = accuracy(trained.classify(dataset.test.images), dataset.test.labels)
    if not build.is_conditional(trained.config):
        # Unconditional images have no label to agree with.
        result |= {"conditional_accuracy": None, "per_class_accuracy": None}
    workdir.write_text(trained.folder.path / "evaluation.json", json.dumps(result, indent=2, sort_keys=True) + "\n")
    return result


def table(result: dict) -> str:
    """A result as people read it."""
    data = result["data"]
    if data != result["requested_data"]:
        data += f" (fallback: {result['requested_data']} could not be had)"
    share = "-" if result["conditional_accuracy"] is None else f"{result['conditional_accuracy']:.2%}"
    floor = f"{result['conditional_accuracy_floor']:.2%}"
    own = result.get("discriminator_accuracy")
    return "\n".join(
        [
            f"data {data}, step {result['step']}, {result['generator']} generator, features {result['features']}",
            f"{'':<40}{'generated':>12}{'real images':>14}",
            f"{'conditional accuracy':<40}{share:>12}{floor:>14}",
            f"{'Frechet distance (classifier features)':<40}{result['frechet_distance']:>12.2f}"
            f"{result['frechet_distance_floor']:>14.2f}",
            *([f"{'D as a classifier, test accuracy':<40}{'':>12}{own:>14.2%}"] if own is not None else []),
            f"{result['num_generated']} generated images against {result['num_test']} test images; real images: "
            f"the test split's own accuracy, and {result['num_floor']} training images against the test split",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gan_jax.evaluate", description=__doc__, allow_abbrev=False)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num_images", type=int, default=10_000)
    parser.add_argument("--data_dir", default="", help="where prepared data lies (default: the user's cache folder)")
    arguments = parser.parse_args()
    if arguments.num_images < 2:
        raise UserError(f"--num_images={arguments.num_images}: must be at least 2")
    print(table(evaluate(arguments.workdir, arguments.num_images, arguments.data_dir)))


if __name__ == "__main__":
    cli.execute(main)
