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
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.runs import pictures
from gan_jax.system.errors import UserError
from gan_jax.system.files import writing

_COLUMNS, _ROWS = 10, 10
_PAIRS = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gan_jax.data", description=__doc__, allow_abbrev=False)
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
        pictures.write_png(path, _grid(train.images, train.labels, dataset.num_classes))
        print(f"grid             {path}: training images" + (", one column a class" if dataset.num_classes > 1 else ""))
        pairs = near_duplicates(train.images, test.images)
        print(f"near-duplicates  {len(pairs)} of {len(test.labels)} test images have one among the training images")
        if pairs:
            pairs_path = path.with_name(f"{path.stem}-near-duplicates.png")
            shown = [image for a, b in pairs[:_PAIRS] for image in (test.images[a], train.images[b])]
            pictures.write_png(pairs_path, pictures.grid(np.stack(shown), 2))
            print(f"                 the first {len(shown) // 2}, test image left: {pairs_path}")


def _grid(images: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """A grid of random images, uint8 [height, width, C]; with several classes, each column has one class."""
    columns = min(num_classes, 20) if num_classes > 1 else _COLUMNS
    wanted = balanced_labels(columns * _ROWS, columns) if num_classes > 1 else np.zeros(columns * _ROWS, np.int32)
    rng = np.random.default_rng(0)
    rows_by_class = {label: rng.permutation(np.flatnonzero(labels == label)) for label in set(wanted.tolist())}
    blank, cells, used = np.full(images.shape[1:], 255, np.uint8), [], dict.fromkeys(rows_by_class, 0)
    for label in wanted.tolist():
        rows = rows_by_class[label]
        cells.append(images[rows[used[label]]] if used[label] < len(rows) else blank)
        used[label] += 1
    return pictures.grid(np.stack(cells), columns)


if __name__ == "__main__":
    cli.execute(main)
