"""Analyses a trained run: pictures and numbers in W/analysis/, or W/analysis-best/ and the like for other settings.

python -m gan_jax.analyze --workdir W [--only interpolation,spectrum] [--num_images 2000] [--seed 0]
"""

import argparse
import pathlib
import sys

if not __package__:  # Started as a file: python gan_jax/analyze.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from gan_jax import cli
from gan_jax.analysis.analyses import ANALYSES, LEAST_IMAGES, NUM_IMAGES, analyze, folder_name, load_subject
from gan_jax.runs.load import CHECKPOINTS
from gan_jax.system import extras
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(prog=cli.program("gan_jax.analyze"), description=__doc__, allow_abbrev=False)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--only", default="", help=f"some of {','.join(ANALYSES)} (default: all)")
    parser.add_argument("--num_images", type=int, default=NUM_IMAGES, help="number of generated images")
    parser.add_argument("--seed", type=cli.seed, default=0)
    parser.add_argument("--checkpoint", choices=CHECKPOINTS, default="newest", help="best: by its validation score")
    cli.add_data_folders(parser)
    arguments = parser.parse_args()
    names = list(dict.fromkeys(name.strip() for name in arguments.only.split(","))) if arguments.only else [*ANALYSES]
    for name in names:
        choose(ANALYSES, name, "--only")
    if arguments.num_images < LEAST_IMAGES:
        raise UserError(f"--num_images={arguments.num_images}: must be at least {LEAST_IMAGES}")
    extras.require(cli.program("gan_jax.analyze"), "plots", "matplotlib", "sklearn")
    folders = (arguments.data_dir, arguments.checkpoint, arguments.images_dir)
    subject = load_subject(arguments.workdir, arguments.num_images, arguments.seed, *folders)
    analyze(subject, names, folder_name(arguments.num_images, arguments.seed, arguments.checkpoint))


if __name__ == "__main__":
    cli.execute(main)
