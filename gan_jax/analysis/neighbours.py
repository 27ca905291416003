"""Generated images beside their nearest training images: does the generator copy?"""

import pathlib

import numpy as np

from gan_jax.analysis.subject import Subject, figure, save, show
from gan_jax.evaluation.features import pixels
from gan_jax.evaluation.metrics.neighbours import squared_distances

_SHOWN = 10
_BESIDE = 4
_MAX_IMAGES = 500  # compared with the complete training split; in pixels this takes seconds
_CHUNK = 5000  # training images at once; their pixels in float64 are 0.5 GB at 64 x 64 x 3


def nearest_few(points: np.ndarray, others: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows of `others`, Euclidean distances), each [N, count], of the nearest `others` to every point, nearest first.

    points [N, F], others [M, F], count <= M. Computed in float64, in chunks of `others`.
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

    Distances are Euclidean, in features and in pixels in [0, 1]. <space>_ratio is the median distance of generated
    images to their nearest training image, divided by the same median of test images.
    Near 1: generated images are as far from the training images as unseen real images are.
    Well below 1: copies, or images near the mean of the data.
    Above 1: images unlike the data.
    """
    train, num_images = subject.train, min(_MAX_IMAGES, subject.num_images)
    count = min(_BESIDE, len(train.labels))
    test = subject.subset(subject.dataset.test, num_images)
    generated_images = subject.generated.images[:num_images]
    spaces = {
        "features": (subject.generated.features[:num_images], subject.extract(test.images)[0], train.features),
        "pixels": tuple(pixels(images)[0] for images in (generated_images, test.images, train.images)),
    }
    nearest_rows, numbers = {}, {}
    for space, (of_generated, of_test, of_train) in spaces.items():
        nearest_rows[space], distances = nearest_few(of_generated, of_train, count)
        test_distances = nearest_few(of_test, of_train, 1)[1]
        generated_median, test_median = (float(np.median(array[:, 0])) for array in (distances, test_distances))
        numbers |= {
            f"{space}_ratio": generated_median / test_median if test_median else None,
            f"{space}_median_distance_generated": generated_median,
            f"{space}_median_distance_test": test_median,
            f"{space}_distances_shown": distances[:_SHOWN].tolist(),
            f"{space}_rows_shown": nearest_rows[space][:_SHOWN].tolist(),
        }
    _draw(subject, nearest_rows, numbers, folder)
    ratios = {key: value for key, value in numbers.items() if key.endswith("_ratio")}
    return {
        **ratios,
        **numbers,
        "num_generated": num_images,
        "num_test": len(test.labels),
        "num_train": len(train.labels),
    }


def _draw(subject: Subject, nearest_rows: dict[str, np.ndarray], numbers: dict, folder: pathlib.Path) -> None:
    shown = min(_SHOWN, len(next(iter(nearest_rows.values()))))
    plot, axes = figure(1, 3, 9.5, 9, width_ratios=[1, _BESIDE, _BESIDE])
    show(axes[0, 0], subject.generated.images[:shown], 1, "generated")
    for panel, (space, rows) in zip(axes[0, 1:], nearest_rows.items(), strict=True):
        title = f"nearest training images\nin {space}, nearest first"
        show(panel, subject.train.images[rows[:shown].ravel()], rows.shape[1], title)
        height = subject.train.images.shape[1] + 2
        for row, distances in enumerate(numbers[f"{space}_distances_shown"]):
            panel.text(-3, row * height + height / 2, f"{distances[0]:.1f}", ha="right", va="center", fontsize=9)
    ratios = ", ".join(f"{numbers[f'{space}_ratio'] or 0:.2f} in {space}" for space in nearest_rows)
    plot.suptitle(f"Beside each row: distance to the nearest. Median, generated / test: {ratios}", fontsize=11)
    save(plot, folder / "neighbours.png")
