"""Measures features of images: python -m experiments.feature_networks --images ZIP_OR_FOLDER

The images are in class folders, as those of `config.data.name=folder`. Three parts. "accuracies" and "speeds": the
ImageNet network with inputs of several sides, the accuracy of a linear classifier on its features, and its speed.
"orders": the distances of changed images to real ones in each of --features. Writes feature_networks.json to --output;
a part that is not in --parts keeps its numbers.
"""

import argparse
import os
import pathlib
import sys

if not __package__:  # Started as a file: python experiments/feature_networks
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.benchmarks.machine import cpu_model
from experiments.feature_networks import orders, report, sides
from experiments.jobs.arguments import check_at_least
from gan_jax import cli
from gan_jax.data import sources
from gan_jax.runs.provenance import provenance
from gan_jax.system import files
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

FILE = "feature_networks.json"
_PARTS = {
    "accuracies": lambda dataset, arguments: sides.accuracies(dataset, arguments.sides),
    "speeds": lambda dataset, arguments: sides.speeds(dataset, arguments.sides),
    "orders": lambda dataset, arguments: orders.measure(
        dataset,
        arguments.features,
        arguments.num_images,
        arguments.data_dir,
        orders.runs_on(arguments.runs, dataset, arguments.data_dir),
    ),
}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.feature_networks", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--images", required=True, help="zip file or folder of images in class folders")
    parser.add_argument("--name", default="CIFAR-10 (JPEG)", help="name of the data set in the record")
    parser.add_argument("--parts", default=",".join(_PARTS), help="with commas (default: all)")
    parser.add_argument(
        "--features", default="imagenet,thumbnails,pixels", help=f"with commas, of {', '.join(orders.NAMES)}"
    )
    parser.add_argument("--sides", default="64,96,128,160,224", help="of the network's input, pixels, with commas")
    parser.add_argument("--num_images", type=int, default=2000, help="images of each set (default 2000)")
    parser.add_argument(
        "--runs", nargs="+", default=[], help="workdirs of runs on these images: orders has their samples, too"
    )
    parser.add_argument("--data_dir", default="", help="folder of the cache (default: the user's cache folder)")
    parser.add_argument("--output", default="experiments/results")
    arguments = parser.parse_args()
    arguments.features, arguments.parts = arguments.features.split(","), arguments.parts.split(",")
    for name in arguments.features:
        choose(orders.NAMES, name, "--features")
    for part in arguments.parts:
        choose(list(_PARTS), part, "--parts")
    words = arguments.sides.split(",")
    if not all(word.isascii() and word.isdigit() and 32 <= int(word) <= 1024 for word in words):
        raise UserError(f"--sides={arguments.sides}: whole numbers from 32 to 1024 with commas: --sides 96,128")
    arguments.sides = [int(word) for word in words]
    check_at_least(2, num_images=arguments.num_images)
    return arguments


def main() -> None:
    arguments = _parse()
    dataset = sources.load("folder", arguments.images, data_dir=arguments.data_dir, channels=3)
    if orders.NUM_REAL_SETS * arguments.num_images > len(dataset.test.labels):
        most = len(dataset.test.labels) // orders.NUM_REAL_SETS
        raise UserError(f"--num_images={arguments.num_images}: at most {most}, a third of the test images")
    path = pathlib.Path(arguments.output) / FILE
    record = files.read_sealed(path, "delete it") if path.is_file() else {}
    for part in arguments.parts:
        # Before the measurement, because the load is that of other programs.
        conditions = {"data": arguments.name, "cpu": cpu_model(), "load_average": os.getloadavg()[0], **provenance()}
        record[part] = _PARTS[part](dataset, arguments) | conditions
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_sealed(path, record)
    print(f"\n{report.tables(record)}\n\nrecord {path}")


if __name__ == "__main__":
    cli.execute(main)
