"""Scores any two sets of images.

python -m gan_jax.score REAL GENERATED [--features classifier|pixels|thumbnails|imagenet|inception] [--output NAME.json]

REAL and GENERATED are each a folder or a .zip of images, an .npz file, a folder of IDX files, or the name of a data set
(mnist_5k, fashion_mnist, hf:NAME). The classifier is trained on the labels of REAL. If REAL has a test split, its test
images are compared, and its training images show whether GENERATED has copies of them; otherwise all images of REAL are
compared, for a classifier the tenth of each class that it was not trained on.
"""

import argparse
import json
import pathlib
import sys

if not __package__:  # Started as a file: python gan_jax/score.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from gan_jax import cli
from gan_jax.data.settings import Settings
from gan_jax.evaluation.features import EXTRACTORS
from gan_jax.evaluation.table import table_of_sets
from gan_jax.evaluation.two_sets import load_set, score_sets
from gan_jax.runs.protocol import SCORES_VERSION
from gan_jax.runs.provenance import provenance
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError
from gan_jax.system.files import write_text, writing

_OPTIONS = ("image_size", "channels", "resize", "background", "axes")  # of how the images are read


def main() -> None:
    parser = argparse.ArgumentParser(prog=cli.program("gan_jax.score"), description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("real", metavar="REAL")
    parser.add_argument("generated", metavar="GENERATED")
    parser.add_argument("--features", default="classifier", help=f"{', '.join(EXTRACTORS)} (default classifier)")
    parser.add_argument("--inception_weights", default="", help="file of the 2015 network, for --features inception")
    parser.add_argument("--num_images", type=int, default=0, help="of GENERATED, chosen at random (default: all)")
    parser.add_argument("--quick", action="store_true", help="without the scores that need every training image")
    parser.add_argument("--seed", type=cli.seed, default=0, help="of the choice of --num_images")
    parser.add_argument("--output", default="", help="NAME.json: writes the scores, too")
    for field in _OPTIONS:
        default = Settings._field_defaults[field]
        parser.add_argument(f"--{field}", type=type(default), default=default, help=f"as config.data.{field}")
    parser.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")
    arguments = parser.parse_args()
    choose(EXTRACTORS, arguments.features, "--features")
    path = cli.output_path(arguments.output) if arguments.output else None
    if path and path.suffix != ".json":
        raise UserError(f"--output={path}: end the name in .json")
    if arguments.num_images < 0 or arguments.num_images == 1:
        raise UserError(f"--num_images={arguments.num_images}: must be at least 2")
    options = {field: getattr(arguments, field) for field in _OPTIONS}
    real, generated = (load_set(text, arguments.data_dir, **options) for text in (arguments.real, arguments.generated))
    result = score_sets(
        real,
        generated,
        arguments.features,
        num_images=arguments.num_images,
        quick=arguments.quick,
        seed=arguments.seed,
        data_dir=arguments.data_dir,
        inception_weights=arguments.inception_weights,
    )
    result |= {"scores_version": SCORES_VERSION, **provenance()}
    print(table_of_sets(result))
    if path:
        with writing(f"--output={path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(result, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    cli.execute(main)
