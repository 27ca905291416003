"""Shows a data set before anything is trained on it.

python -m gan_jax.data --name folder --dir PATH [--image_size 64] [--output data.png]

Prints how many images of each class and split there are, which sizes and modes the files have, what is not used and
why, and how many test images have a near-duplicate among the training images. Writes a grid of images as the networks
get them.
The options are those of config.data: what is shown here with `--image_size 64` is trained on with
`--config.data.image_size=64`.
"""

import argparse
import pathlib
import sys

if not __package__:  # Started as a file: python gan_jax/data/__main__.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

import numpy as np

from gan_jax import cli
from gan_jax.data import overview, sources
from gan_jax.data.duplicates import near_duplicates
from gan_jax.data.settings import Settings
from gan_jax.runs import pictures
from gan_jax.system.errors import UserError
from gan_jax.system.files import writing

_COLUMNS, _ROWS, _MOST_COLUMNS = 10, 10, 20
_PAIRS = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog=cli.program("gan_jax.data"), description=__doc__, allow_abbrev=False)
    parser.add_argument("--name", default="folder", help="as config.data.name (default folder)")
    parser.add_argument("--dir", default="", help="as config.data.dir: a folder, or a .zip file of images")
    for field, default in Settings()._asdict().items():
        parser.add_argument(f"--{field}", type=type(default), default=default, help=f"as config.data.{field}")
    parser.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")
    parser.add_argument("--output", default="data.png", help="the grid")
    arguments = parser.parse_args()
    path = cli.output_path(arguments.output)
    if path.suffix != ".png":
        raise UserError(f"--output={path}: end the name in .png")
    options = {field: getattr(arguments, field) for field in Settings._fields}
    dataset = sources.load(arguments.name, arguments.dir, "", arguments.data_dir, **options)
    for line in overview.lines(dataset):
        print(line)
    in_memory = dataset.in_memory()
    train, test = in_memory.train, in_memory.test
    with writing(f"--output={path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        pictures.write_png(path, _grid(train.images, train.labels, dataset.class_names))
        print(f"grid             {path}: training images" + (", one column a class" if dataset.num_classes > 1 else ""))
        pairs = near_duplicates(train.images, test.images)
        print(f"near-duplicates  {len(pairs)} of {len(test.labels)} test images have one among the training images")
        if pairs:
            pairs_path = path.with_name(f"{path.stem}-near-duplicates.png")
            shown = [image for a, b in pairs[:_PAIRS] for image in (test.images[a], train.images[b])]
            pictures.write_png(pairs_path, pictures.grid(np.stack(shown), 2))
            print(f"                 the first {len(shown) // 2}, test image left: {pairs_path}")


def _grid(images: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]) -> np.ndarray:
    """A grid of random images, uint8 [height, width, C]; with several classes, each column has one class."""
    rng = np.random.default_rng(0)
    if len(class_names) < 2:
        return pictures.grid(images[rng.permutation(len(images))[: _ROWS * _COLUMNS]], _COLUMNS)
    names = class_names[:_MOST_COLUMNS]
    cells = np.full((_ROWS, len(names), *images.shape[1:]), 255, np.uint8)
    for label in range(len(names)):
        chosen = images[rng.permutation(np.flatnonzero(labels == label))[:_ROWS]]
        cells[: len(chosen), label] = chosen
    return pictures.grid(cells.reshape(-1, *images.shape[1:]), len(names), names)


if __name__ == "__main__":
    cli.execute(main)
