"""PNG pictures: sample grids and loss curves."""

import math
import pathlib

import numpy as np
from PIL import Image

from gan_jax.system.files import atomic_write


def grid(images: np.ndarray, columns: int) -> np.ndarray:
    """uint8 [N, H, W, C] -> a grid of the images, row by row, with gaps of 2 pixels: uint8 [height, width, C]."""
    n, height, width, channels = images.shape
    rows, gap = math.ceil(n / columns), 2
    picture = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        picture[top : top + height, left : left + width] = image
    return picture


def write_png(path: pathlib.Path, picture: np.ndarray) -> None:
    """Writes uint8 [H, W, C], C 1 or 3, as a PNG. The write is atomic."""
    with atomic_write(path) as partial:
        Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(partial, format="PNG")


def write_loss_curves(path: pathlib.Path, rows: list[dict]) -> None:
    """Writes a plot of both losses and of D's mean outputs on real and fake images over the steps."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in rows if "d_loss" in row]  # Validation scores are separate rows.
    steps = [row["step"] for row in rows]
    figure, (losses, outputs) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
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
    plt.close(figure)
