"""Draws images from a trained run.

python -m gan_jax.sample --workdir W [--num_images 100] [--output grid.png|samples.npz] [--labels 3,1,4]
"""

import argparse
import math
import pathlib
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from gan_jax import build, cli, pictures, train, workdir
from gan_jax.checkpoint import Checkpoints
from gan_jax.data.dataset import to_float
from gan_jax.drawing import balanced_labels, draw
from gan_jax.errors import UserError
from gan_jax.types import Gan, GanState

_JUDGED = 500  # images in one look of the discriminator


class Trained(NamedTuple):
    """A run as it lies in its workdir."""

    folder: workdir.Workdir
    config: ConfigDict
    run: dict
    gan: Gan
    state: GanState
    step: int

    @property
    def num_classes(self) -> int:
        return self.run["data"]["num_classes"]

    def draw(self, labels: np.ndarray, seed: int = 0, *, raw: bool = False) -> np.ndarray:
        """uint8 [N, H, W, C], one image for each label; from the averaged generator where one is kept, unless `raw`."""
        state = self.state
        if raw:
            state = state._replace(generator=state.generator._replace(average={}))
        return draw(jax.jit(self.gan.sample), state, labels, seed)

    def classify(self, images: np.ndarray) -> np.ndarray:
        """The discriminator's own class of images uint8 [N, H, W, C], for heads with class logits: int [N]."""
        judge, classes = jax.jit(self.gan.judge), []
        for batch in np.array_split(images, max(len(images) // _JUDGED, 1)):
            nothing = np.zeros(len(batch), np.int32)
            logits = judge(self.state, to_float(batch), nothing).class_logits[:, : self.num_classes]
            classes.append(np.argmax(logits, axis=-1))
        return np.concatenate(classes)


def load(path: str) -> Trained:
    """The newest checkpoint of the run in a workdir, finished or not."""
    folder = workdir.Workdir(path)
    config, run = folder.config(), folder.run()
    if "data" not in run or not folder.checkpoints.is_dir():
        raise UserError(f"--workdir={path} has no checkpoint yet; train it first")
    shape = tuple(run["data"]["image_shape"])
    try:
        gan = build.build(config, shape, run["data"]["num_classes"], run["num_steps"])
    except (AttributeError, KeyError) as error:  # A knob that did not exist when the run was made.
        reason = str(error).strip("'\"").splitlines()[0]
        raise UserError(f"--workdir={path} was made by another version of this code: {reason}") from error
    checkpoints = Checkpoints(folder.checkpoints, config.keep_checkpoints)
    step, state = train.restore(checkpoints, gan, config, shape)
    checkpoints.close()
    if state is None:
        raise UserError(f"--workdir={path} has no checkpoint yet; train it first")
    return Trained(folder, config, run, gan, state, step)


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            pictures.write_png(path, pictures.grid(images, columns))
        else:
            np.savez(path, images=images, labels=labels)
    except OSError as error:
        raise UserError(f"--output={path} cannot be written: {error.strerror}") from error


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
    trained = load(arguments.workdir)
    labels = _labels(arguments.labels, arguments.num_images, trained.num_classes)
    columns = trained.num_classes if not arguments.labels else math.ceil(math.sqrt(len(labels)))
    _write(path, trained.draw(labels, arguments.seed), labels, min(columns, len(labels), 20))
    print(f"{len(labels)} images of step {trained.step} in {path}")


if __name__ == "__main__":
    cli.execute(main)
