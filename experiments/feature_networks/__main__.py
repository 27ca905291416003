"""Measures features of images: python -m experiments.feature_networks --images ZIP_OR_FOLDER

The images are in train/CLASS and test/CLASS. Two parts. "sides": the ImageNet network with inputs of several sides, its
speed and the accuracy of a linear classifier on its features. "orders": the distances of changed images to real ones in
each of --features. Writes feature_networks.json to --output; a part that is not asked for keeps its numbers.
"""

import argparse
import os
import pathlib
import sys

if not __package__:  # Started as a file: python experiments/feature_networks
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.benchmarks.machine import cpu_model
from experiments.feature_networks import class_folders, orders, report, sides
from experiments.jobs.arguments import check_at_least
from gan_jax import cli
from gan_jax.runs.provenance import provenance
from gan_jax.system import files
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

FILE = "feature_networks.json"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.feature_networks", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--images", required=True, help="zip file or folder with train/CLASS and test/CLASS")
    parser.add_argument("--name", default="CIFAR-10 (JPEG)", help="name of the data set in the record")
    parser.add_argument("--features", default="imagenet,pixels", help=f"with commas, of {', '.join(orders.NAMES)}")
    parser.add_argument("--sides", default="64,96,128,160,224", help="of the network's input, pixels, with commas")
    parser.add_argument("--num_images", type=int, default=2000, help="images of each set (default 2000)")
    parser.add_argument("--data_dir", default="", help="folder of the cache (default: the user's cache folder)")
    parser.add_argument("--output", default="experiments/results")
    arguments = parser.parse_args()
    arguments.features = [name for name in arguments.features.split(",") if name]
    for name in arguments.features:
        choose(orders.NAMES, name, "--features")
    words = [word for word in arguments.sides.split(",") if word]
    if not all(word.isascii() and word.isdigit() and 32 <= int(word) <= 1024 for word in words):
        raise UserError(f"--sides={arguments.sides}: whole numbers from 32 to 1024 with commas: --sides 96,128")
    arguments.sides = [int(word) for word in words]
    check_at_least(2, num_images=arguments.num_images)
    return arguments


def main() -> None:
    arguments = _parse()
    dataset = class_folders.load(arguments.images, arguments.name)
    if arguments.features and orders.NUM_REAL_SETS * arguments.num_images > len(dataset.test.labels):
        most = len(dataset.test.labels) // orders.NUM_REAL_SETS
        raise UserError(f"--num_images={arguments.num_images}: at most {most}, a third of the test images")
    path = pathlib.Path(arguments.output) / FILE
    record = files.read_sealed(path, "delete it") if path.is_file() else {}
    conditions = {"data": dataset.name, "cpu": cpu_model(), "load_average": os.getloadavg()[0], **provenance()}
    if arguments.sides:
        record["sides"] = sides.measure(dataset, arguments.sides) | conditions
    if arguments.features:
        record["orders"] = orders.measure(dataset, arguments.features, arguments.num_images, arguments.data_dir)
        record["orders"] |= conditions
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_sealed(path, record)
    for part, table in (("sides", report.sides_table), ("orders", report.orders_table)):
        if part in record:
            print(f"\n{table(record[part])}\n\n{report.conditions(record[part])}")
    print(f"record {path}")


if __name__ == "__main__":
    cli.execute(main)
