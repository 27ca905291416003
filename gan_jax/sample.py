"""Generates images with a trained run.

python -m gan_jax.sample --workdir W [--num_images 100] [--output grid.png|samples.npz|folder/] [--labels 3,1,4]
"""

import argparse
import math
import pathlib
import re
import sys

if not __package__:  # Started as a file: python gan_jax/sample.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

import numpy as np

from gan_jax import build, cli
from gan_jax.data.classes import listed
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.runs import pictures
from gan_jax.runs.load import CHECKPOINTS, load_run
from gan_jax.runs.standing import with_standing_statistics
from gan_jax.system.errors import UserError
from gan_jax.system.files import atomic_write, writing


def _labels(text: str, num_images: int, num_classes: int, class_names: tuple[str, ...]) -> np.ndarray:
    """The class of each image, int32 [num_images]. text: the flag --labels; "" for all classes in turn.

    #3 is the class at position 3, because a comma in a name would end it.
    """
    if not text:
        return balanced_labels(num_images, num_classes)
    positions = {f"#{position}": position for position in range(len(class_names))}
    positions |= {name: position for position, name in enumerate(class_names)}
    names = [name.strip() for name in text.split(",")]
    if wrong := [name for name in names if name not in positions]:
        raise UserError(f"--labels={text}: '{wrong[0]}' is not a class; {_choices(class_names)}")
    return np.resize(np.array([positions[name] for name in names], np.int32), num_images)


def _choices(class_names: tuple[str, ...]) -> str:
    """What --labels takes, for an error message."""
    with_comma = [f"#{position} for '{name}'" for position, name in enumerate(class_names) if "," in name]
    hint = f"; a name with a comma is given by its position: {listed(with_comma)}" if with_comma else ""
    return f"the classes are {', '.join(class_names)}{hint}"


def _label_arrays(labels: np.ndarray, class_names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of an .npz that say the class of each image.

    labels: int32, as the data set has them. If a name of a class is no number, they are positions in class_names.
    """
    are_numbers = all(name.isdecimal() and name == str(int(name)) for name in class_names)
    values = np.array([int(name) for name in class_names], np.int32)[labels] if are_numbers else labels
    return {"labels": values, "class_names": np.array(class_names)}


def _write(
    path: pathlib.Path, images: np.ndarray, labels: np.ndarray | None, class_names: tuple[str, ...], columns: int
) -> None:
    """Writes a grid (.png), arrays (.npz), or a folder with one PNG an image. labels: None if G takes none."""
    with writing(f"--output={path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            one_class_a_column = labels is not None and columns == len(class_names)
            pictures.write_png(path, pictures.grid(images, columns, class_names if one_class_a_column else ()))
        elif path.suffix == ".npz":
            with atomic_write(path) as partial:
                np.savez(partial, images=images, **({} if labels is None else _label_arrays(labels, class_names)))
        else:
            _write_folder(path, images, labels, class_names)


def _write_folder(
    path: pathlib.Path, images: np.ndarray, labels: np.ndarray | None, class_names: tuple[str, ...]
) -> None:
    """000000.png, 000001.png, ... for tools that score folders; with labels, the class is part of the name."""
    if path.is_dir() and any(path.iterdir()):
        raise UserError(f"--output={path} is not empty; give an empty or a new folder")
    path.mkdir(exist_ok=True)
    for index, image in enumerate(images):
        label = "" if labels is None else f"-class-{re.sub(r'[^0-9A-Za-z_.-]', '_', class_names[labels[index]])}"
        pictures.write_png(path / f"{index:06d}{label}.png", image)


def main() -> None:
    parser = argparse.ArgumentParser(prog=cli.program("gan_jax.sample"), description=__doc__, allow_abbrev=False)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num_images", type=int, help="default: one for each of --labels, else 100")
    parser.add_argument(
        "--output", default="samples.png", help="NAME.png for a grid, NAME.npz for arrays, NAME/ for a folder of PNGs"
    )
    parser.add_argument(
        "--labels",
        default="",
        help="names of classes or positions (#0), repeated as often as needed (default: all in turn)",
    )
    parser.add_argument("--checkpoint", choices=CHECKPOINTS, default="newest", help="best: by its validation score")
    cli.add_sampling(parser)
    parser.add_argument("--seed", type=cli.seed, default=0)
    cli.add_parts(parser)
    arguments = parser.parse_args()
    path = cli.output_path(arguments.output)
    if path.suffix not in (".png", ".npz") and not (arguments.output.endswith("/") or path.is_dir()):
        raise UserError(f"--output={path}: end the name in .png for a grid, .npz for arrays or / for a folder of PNGs")
    if arguments.num_images is not None and arguments.num_images < 1:
        raise UserError(f"--num_images={arguments.num_images}: must be at least 1")
    run = load_run(arguments.workdir, arguments.checkpoint)
    if arguments.standing_passes:
        run = with_standing_statistics(run, arguments.standing_passes)
    conditional = build.is_conditional(run.config.generator)
    if arguments.labels and not conditional:
        raise UserError(f"--labels={arguments.labels}: this generator takes no labels; leave --labels out")
    num_images = arguments.num_images or (arguments.labels.count(",") + 1 if arguments.labels else 100)
    labels = _labels(arguments.labels, num_images, run.num_classes, run.class_names)
    columns = run.num_classes if conditional and not arguments.labels else math.ceil(math.sqrt(len(labels)))
    images = run.generate(labels, arguments.seed, sampler=arguments.sampler)
    _write(path, images, labels if conditional else None, run.class_names, min(columns, len(labels), 20))
    print(f"{len(labels)} images of step {run.step} in {path}")


if __name__ == "__main__":
    cli.execute(main)
