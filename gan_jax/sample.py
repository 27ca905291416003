"""Draws images from a trained run.

python -m gan_jax.sample --workdir W [--num_images 100] [--output grid.png|samples.npz] [--labels 3,1,4]
"""

import argparse
import math
import pathlib

import numpy as np

from gan_jax import cli
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.runs import pictures
from gan_jax.runs.load import load_run
from gan_jax.system.errors import UserError
from gan_jax.system.files import atomic_write, writing


def _labels(text: str, num_images: int, num_classes: int) -> np.ndarray:
    if not text:
        return balanced_labels(num_images, num_classes)
    try:
        asked = [int(label) for label in text.split(",")]
    except ValueError:
        raise UserError(f"--labels={text}: write whole numbers with commas, such as 3,1,4") from None
    if wrong := [label for label in asked if not 0 <= label < num_classes]:
        raise UserError(f"--labels={text}: {wrong[0]} is not a class; the classes are 0 to {num_classes - 1}")
    return np.resize(np.array(asked, np.int32), num_images)


def _write(path: pathlib.Path, images: np.ndarray, labels: np.ndarray, columns: int) -> None:
    with writing(f"--output={path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            pictures.write_png(path, pictures.grid(images, columns))
        else:
            with atomic_write(path) as partial:
                np.savez(partial, images=images, labels=labels)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gan_jax.sample", description=__doc__, allow_abbrev=False)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num_images", type=int, default=100)
    parser.add_argument("--output", default="samples.png", help="NAME.png for a grid, NAME.npz for images and labels")
    parser.add_argument("--labels", default="", help="classes, repeated as often as needed (default: all in turn)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    path = pathlib.Path(arguments.output)
    if path.suffix not in (".png", ".npz"):
        raise UserError(f"--output={path}: end the name in .png for a grid or .npz for arrays")
    if arguments.num_images < 1:
        raise UserError(f"--num_images={arguments.num_images}: must be at least 1")
    run = load_run(arguments.workdir)
    labels = _labels(arguments.labels, arguments.num_images, run.num_classes)
    columns = run.num_classes if not arguments.labels else math.ceil(math.sqrt(len(labels)))
    _write(path, run.generate(labels, arguments.seed), labels, min(columns, len(labels), 20))
    print(f"{len(labels)} images of step {run.step} in {path}")


if __name__ == "__main__":
    cli.execute(main)
