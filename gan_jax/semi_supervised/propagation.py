"""Label propagation: the labels of a few images are propagated to similar images, before any training.

W is the graph of nearest neighbours: W_ij = exp(-|x_i - x_j|^2 / (s_i s_j)) if i is among the nearest neighbours of j
or j among those of i, else 0. s_i is the distance from i to its last neighbour (self-tuning, Zelnik-Manor and Perona
2004). S = D^(-1/2) W D^(-1/2), with D the row sums of W. The class of image i is the largest entry in row i of

    F = (I - a S)^(-1) Y        (Zhou et al. 2003, "Learning with Local and Global Consistency")

Y [N, K] has one row per image: 1 at the class of a labelled image, else 0.
"""

import hashlib

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import cg

from gan_jax.evaluation.metrics.neighbours import distances_among
from gan_jax.system import cache
from gan_jax.system.progress import Progress

NUM_NEIGHBOURS = 10
_ALPHA = 0.99  # a, the published value
_UNREACHED = -1
_TINY = np.finfo(np.float64).tiny


def nearest(images: np.ndarray, num_neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """(squared distances, indices) [N, num_neighbours] of the nearest neighbours of each image, nearest first."""
    points = np.asarray(images, np.float64).reshape(len(images), -1) / 255
    number = min(num_neighbours, len(points) - 1)
    progress, squares, indices = Progress(len(points), 0, "neighbours of image"), [], []
    for rows, block in distances_among(points):
        index = np.argpartition(block, number - 1, axis=1)[:, :number]
        nearest_squares = np.take_along_axis(block, index, axis=1)
        order = np.argsort(nearest_squares, axis=1)
        squares.append(np.take_along_axis(nearest_squares, order, axis=1))
        indices.append(np.take_along_axis(index, order, axis=1))
        progress.update(rows.stop)
    progress.close()
    return np.concatenate(squares), np.concatenate(indices)


def weighted_graph(squares: np.ndarray, indices: np.ndarray) -> scipy.sparse.csr_array:
    """S [N, N] from the result of `nearest`."""
    count, number = indices.shape
    scale = np.sqrt(np.maximum(squares[:, -1], _TINY))  # the distance of equal images is 0
    similarities = np.exp(-squares / (scale[:, None] * scale[indices]))
    rows = np.repeat(np.arange(count), number)
    weights = scipy.sparse.csr_array((similarities.ravel(), (rows, indices.ravel())), shape=(count,) * 2)
    weights = weights.maximum(weights.T)
    row_sums = np.maximum(weights.sum(axis=1), _TINY)  # 0 if all neighbours are equal images
    root = scipy.sparse.diags_array(1 / np.sqrt(row_sums))
    return scipy.sparse.csr_array(root @ weights @ root)


def neighbour_graph(images: np.ndarray, data_dir: str = "") -> scipy.sparse.csr_array:
    """S [N, N] of uint8 images [N, H, W, C]. The neighbours are computed once and stored in the cache folder.

    The first time, 59,000 images of 28 x 28 take one or two minutes on two cores.
    """
    images = np.ascontiguousarray(images)
    digest = hashlib.sha256(f"{images.shape}{images.dtype}{NUM_NEIGHBOURS}".encode() + images.data).hexdigest()[:8]
    path, what = cache.folder(data_dir) / "neighbours" / f"{digest}.npz", "cached neighbours"
    if path.is_file():
        arrays = cache.read(path, what)
    else:
        squares, indices = nearest(images, NUM_NEIGHBOURS)
        arrays = {"squares": squares.astype(np.float32), "indices": indices.astype(np.int32)}
        cache.write(path, arrays)
    try:
        return weighted_graph(arrays["squares"].astype(np.float64), arrays["indices"])
    except Exception as error:
        raise cache.damaged(path, what, error) from error


def propagate(graph: scipy.sparse.csr_array, chosen: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """The class of every image, int32 [N]; -1 if no labelled image reaches it. labels: those of the images `chosen`."""
    system = scipy.sparse.eye_array(graph.shape[0]) - _ALPHA * graph
    columns = []
    for label in range(num_classes):
        start = np.zeros(graph.shape[0])
        start[chosen[labels == label]] = 1
        columns.append(cg(system, start, rtol=1e-6)[0] if start.any() else start)
    mass = np.stack(columns, axis=1)
    return np.where(mass.max(axis=1) > 0, mass.argmax(axis=1), _UNREACHED).astype(np.int32)
