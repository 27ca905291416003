"""PNG pictures: sample grids and loss curves."""

import logging
import math
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.system.extras import install, is_installed
from gan_jax.system.files import atomic_write

_GAP = 2  # pixels between the images of a grid
_FONT_SIZE, _MOST_LETTERS = 10, 24  # of the names above columns


def grid(images: np.ndarray, columns: int, names: Sequence[str] = ()) -> np.ndarray:
    """uint8 [N, H, W, C] -> a grid of the images, row by row, with gaps of 2 pixels: uint8 [height, width, C].

    names: of the columns, written above them; () for none.
    """
    n, height, width, channels = images.shape
    rows, gap = math.ceil(n / columns), _GAP
    picture = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        picture[top : top + height, left : left + width] = image
    return np.concatenate([_captions(names[:columns], width, picture), picture]) if names else picture


def _captions(names: Sequence[str], width: int, picture: np.ndarray) -> np.ndarray:
    """A strip as wide as the grid `picture`: a name above each column, upright if one is wider than its column."""
    font, names = ImageFont.load_default(_FONT_SIZE), [name[:_MOST_LETTERS] for name in names]
    boxes = [font.getbbox(name) for name in names]
    upright = max(right for _, _, right, _ in boxes) > width
    length, line = max(right for _, _, right, _ in boxes) + _GAP, max(bottom for *_, bottom in boxes) + _GAP
    strip = Image.new("L", (picture.shape[1], length if upright else line), 255)
    for column, (name, (_, _, right, _)) in enumerate(zip(names, boxes, strict=True)):
        text = Image.new("L", (max(right, 1), line), 255)
        ImageDraw.Draw(text).text((0, 0), name, fill=0, font=font)
        text = text.transpose(Image.Transpose.ROTATE_90) if upright else text
        left = column * (width + _GAP) + max(width - text.width, 0) // 2
        strip.paste(text, (left, strip.height - text.height))
    return np.repeat(np.asarray(strip)[:, :, None], picture.shape[2], axis=2)


def write_png(path: pathlib.Path, picture: np.ndarray) -> None:
    """Writes uint8 [H, W, C], C 1 or 3, as a PNG. The write is atomic."""
    with atomic_write(path) as partial:
        Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(partial, format="PNG")


def write_loss_curves(path: pathlib.Path, rows: list[dict]) -> None:
    """Writes a plot of both losses and of D's mean outputs on real and fake images over the steps.

    Without matplotlib: a warning, and no plot. Pyplot is not used, because it would change a notebook's backend.
    """
    if not is_installed("matplotlib"):
        logging.getLogger(__name__).warning("no %s: matplotlib is not installed; %s", path.name, install("plots"))
        return
    from matplotlib.figure import Figure

    rows = [row for row in rows if "d_loss" in row]  # Validation scores are separate rows.
    steps = [row["step"] for row in rows]
    figure = Figure(figsize=(11, 4), layout="constrained")
    losses, outputs = figure.subplots(1, 2)
    for axes, names in ((losses, ("d_loss", "g_loss")), (outputs, ("d_real", "d_fake"))):
        for name in names:
            values = np.array([row[name] for row in rows], float)
            (line,) = axes.plot(steps, values, alpha=0.25, linewidth=0.8)
            window = max(len(values) // 50, 1)
            smooth = np.convolve(values, np.ones(window) / window, "valid")
            axes.plot(steps[window - 1 :], smooth, color=line.get_color(), label=f"{name} (mean of {window} rows)")
        axes.set_xlabel("generator updates")
        axes.legend()
    losses.set_ylabel("loss")
    outputs.set_ylabel("mean D(x)")
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=100)
