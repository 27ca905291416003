"""Generated images beside the training images that they are most like: has the generator copied?"""

import pathlib

import numpy as np

from gan_jax.analysis.subject import Subject, figure, save, show
from gan_jax.evaluation.features import pixels
from gan_jax.evaluation.metrics.neighbours import squared_distances

_SHOWN = 10
_BESIDE = 4
_MOST = 500  # images compared with all of the training split: pixels take seconds
_CHUNK = 5000  # training images at once: their pixels in float64 are 0.5 GB at 64 x 64 x 3


def nearest_few(points: np.ndarray, others: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows of `others`, distances), each [N, count], of the nearest to every point, the nearest first; Euclidean.

    points [N, F], others [M, F], count <= M; in float64, `others` taken a chunk at a time.
    """
    rows, squares = np.zeros((len(points), 0), int), np.zeros((len(points), 0))
    points = points.astype(np.float64)
    for start in range(0, len(others), _CHUNK):
        chunk = others[start : start + _CHUNK].astype(np.float64)
        block = np.concatenate([block for _, block in squared_distances(points, chunk)])
        squares = np.concatenate([squares, block], axis=1)
        rows = np.concatenate([rows, np.broadcast_to(np.arange(start, start + len(chunk)), block.shape)], axis=1)
        order = np.argsort(squares, axis=1, kind="stable")[:, :count]
        rows, squares = np.take_along_axis(rows, order, axis=1), np.take_along_axis(squares, order, axis=1)
    return rows, np.sqrt(squares)


def neighbours(subject: Subject, folder: pathlib.Path) -> dict:
    """neighbours.png: generated images, each beside its nearest training images in feature space and in pixels.

    Distances are Euclidean, of features and of pixels in [0, 1]. <space>_ratio is the median over generated images of
    the distance to the nearest training image, divided by the same of test images. Near 1: as far from the training
    images as unseen real ones are. Well below 1: copies, or images near the middle of the crowd. Above 1: off the data.
    """
    train, most = subject.train, min(_MOST, subject.num_images)
    count = min(_BESIDE, len(train.labels))
    test = subject.some(subject.dataset.test, most)
    seen = {"features": (subject.generated.features[:most], subject.extract(test.images)[0], train.features)}
    seen["pixels"] = tuple(pixels(images)[0] for images in (subject.generated.images[:most], test.images, train.images))
    found, numbers = {}, {}
    for space, (generated, unseen, known) in seen.items():
        found[space], distances = nearest_few(generated, known, count)
        ours, theirs = (float(np.median(array[:, 0])) for array in (distances, nearest_few(unseen, known, 1)[1]))
        numbers |= {
            f"{space}_ratio": ours / theirs if theirs else None,
            f"{space}_median_distance_generated": ours,
            f"{space}_median_distance_test": theirs,
            f"{space}_distances_shown": distances[:_SHOWN].tolist(),
            f"{space}_rows_shown": found[space][:_SHOWN].tolist(),
        }
    _draw(subject, found, numbers, folder)
    ratios = {key: value for key, value in numbers.items() if key.endswith("_ratio")}
    return {**ratios, **numbers, "num_generated": most, "num_test": len(test.labels), "num_train": len(train.labels)}


def _draw(subject: Subject, found: dict[str, np.ndarray], numbers: dict, folder: pathlib.Path) -> None:
    shown = min(_SHOWN, len(next(iter(found.values()))))
    drawn, axes = figure(1, 3, 9.5, 9, width_ratios=[1, _BESIDE, _BESIDE])
    show(axes[0, 0], subject.generated.images[:shown], 1, "generated")
    for panel, (space, rows) in zip(axes[0, 1:], found.items(), strict=True):
        title = f"nearest training images\nin {space}, nearest first"
        show(panel, subject.train.images[rows[:shown].ravel()], rows.shape[1], title)
        height = subject.train.images.shape[1] + 2
        for row, distances in enumerate(numbers[f"{space}_distances_shown"]):
            panel.text(-3, row * height + height / 2, f"{distances[0]:.1f}", ha="right", va="center", fontsize=9)
    ratios = ", ".join(f"{numbers[f'{space}_ratio'] or 0:.2f} in {space}" for space in found)
    drawn.suptitle(f"Beside each row: distance to the nearest. Median, generated / test: {ratios}", fontsize=11)
    save(drawn, folder / "neighbours.png")
