"""Writes a page that asks a person which images are real.

python -m gan_jax.turing --workdir W [--num_images 60] [--output turing.html] [--feedback]
"""

import argparse
import pathlib
import sys

if not __package__:  # Started as a file: python gan_jax/turing.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from gan_jax import cli
from gan_jax.analysis.turing_test import choose_images, describe, render
from gan_jax.runs.dataset import scoring_data
from gan_jax.runs.load import CHECKPOINTS, load_run
from gan_jax.system import files
from gan_jax.system.errors import UserError


def _output(text: str) -> pathlib.Path:
    """The path of the page; UserError unless it is a file name that ends in .html."""
    path = cli.output_path(text)
    if path.suffix != ".html":
        raise UserError(f"--output={text}: end the name in .html")
    if path.is_dir():
        raise UserError(f"--output={text} is a folder; give the name of a file")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog=cli.program("gan_jax.turing"), description=__doc__, allow_abbrev=False)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num_images", type=int, default=60, help="real and generated ones together")
    parser.add_argument("--output", default="turing.html", help="NAME.html")
    parser.add_argument(
        "--feedback",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="say after each answer whether it was right; the page's start screen can change it",
    )
    parser.add_argument("--seed", type=cli.seed, default=0, help="of the choice, the generated images and the order")
    parser.add_argument("--checkpoint", choices=CHECKPOINTS, default="newest", help="best: by its validation score")
    cli.add_data_folders(parser)
    arguments = parser.parse_args()
    path, num_images = _output(arguments.output), arguments.num_images // 2 * 2
    if num_images < 2:
        raise UserError(f"--num_images={arguments.num_images}: must be at least 2, one real and one generated")
    run = load_run(arguments.workdir, arguments.checkpoint)
    dataset = scoring_data(arguments.workdir, run.config.data, run.run_info, arguments.data_dir, arguments.images_dir)
    images, truths = choose_images(run, dataset, num_images, arguments.seed)
    page = render(images, truths, describe(run, dataset, arguments.seed), arguments.feedback)
    with files.writing(f"--output={path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, page)
    if num_images != arguments.num_images:
        print(f"{num_images} images instead of {arguments.num_images}: as many real as generated ones")
    half = num_images // 2
    print(f"{half} real and {half} generated images of step {run.step} in {path}; open it in a browser")


if __name__ == "__main__":
    cli.execute(main)
