"""Scores a trained run.

python -m gan_jax.evaluate --workdir W [--features classifier|pixels|thumbnails|imagenet|inception] [--num_images N]

Do not choose anything by scores on the test split. `--checkpoint best` is the state with the best validation score;
`--split validation` scores on the validation images.
"""

import argparse
import pathlib
import sys

if not __package__:  # Started as a file: python gan_jax/evaluate.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from gan_jax import cli
from gan_jax.evaluation.features import EXTRACTORS
from gan_jax.evaluation.table import table
from gan_jax.runs.load import CHECKPOINTS
from gan_jax.runs.score import Protocol, evaluate_seeds
from gan_jax.system.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(prog=cli.program("gan_jax.evaluate"), description=__doc__, allow_abbrev=False)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num_images", type=int, default=10_000)
    parser.add_argument(
        "--features", default="classifier", help=f"{', '.join(EXTRACTORS)} (default classifier: of this data set)"
    )
    parser.add_argument("--inception_weights", default="", help="file of the 2015 network, for --features inception")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--generator", choices=("ema", "raw"), default="ema")
    parser.add_argument("--checkpoint", choices=CHECKPOINTS, default="newest", help="best: by its validation score")
    parser.add_argument(
        "--train_on_generated",
        action="store_true",
        help="also the classification accuracy score: two trainings of the classifier, 1 to 2 minutes each",
    )
    parser.add_argument(
        "--quick", action="store_true", help="without the scores that need every training image (bins, copies)"
    )
    cli.add_sampling(parser)
    parser.add_argument("--seed", type=cli.seed, default=0)
    cli.add_data_folders(parser)
    arguments = parser.parse_args()
    if arguments.num_images < 2:
        raise UserError(f"--num_images={arguments.num_images}: must be at least 2")
    if arguments.inception_weights and arguments.features != "inception":
        raise UserError(f"--inception_weights={arguments.inception_weights} is for --features inception; add it")
    protocol = Protocol(**{name: getattr(arguments, name) for name in Protocol._fields})
    folders = (arguments.data_dir, arguments.inception_weights, arguments.images_dir)
    print(table(evaluate_seeds(arguments.workdir, protocol, *folders)))


if __name__ == "__main__":
    cli.execute(main)
