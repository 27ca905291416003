"""Labels of a few images carried over to the others that are near: label propagation, before any training.

W is the graph of nearest neighbours, W_ij = exp(-|x_i - x_j|^2 / (s_i s_j)) where one of i, j is among the nearest of
the other, s_i the distance from i to its last neighbour (self-tuning, Zelnik-Manor and Perona 2004), and
S = D^(-1/2) W D^(-1/2) with D its row sums. The classes are those of

    F = (I - a S)^(-1) Y        (Zhou et al. 2003, "Learning with Local and Global Consistency")

with Y one row of [N, K] an image: 1 at the class of a labelled one, else 0.
"""

import hashlib

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import cg

from gan_jax.evaluation.metrics.neighbours import distances_among
from gan_jax.system import cache
from gan_jax.system.progress import Progress

NUM_NEIGHBOURS = 10
_SPREAD = 0.99  # a: the published one
_UNREACHED = -1
_TINY = np.finfo(np.float64).tiny


def nearest(images: np.ndarray, num_neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """(squared distances, indices) [N, num_neighbours] of each image's nearest others, nearest first."""
    points = np.asarray(images, np.float64).reshape(len(images), -1) / 255
    number = min(num_neighbours, len(points) - 1)
    progress, squares, indices = Progress(len(points), 0, "neighbours of image"), [], []
    for rows, block in distances_among(points):
        index = np.argpartition(block, number - 1, axis=1)[:, :number]
        found = np.take_along_axis(block, index, axis=1)
        order = np.argsort(found, axis=1)
        squares.append(np.take_along_axis(found, order, axis=1))
        indices.append(np.take_along_axis(index, order, axis=1))
        progress.update(rows.stop)
    progress.close()
    return np.concatenate(squares), np.concatenate(indices)


def weighted_graph(squares: np.ndarray, indices: np.ndarray) -> scipy.sparse.csr_array:
    """S from what `nearest` has found."""
    count, number = indices.shape
    scale = np.sqrt(np.maximum(squares[:, -1], _TINY))  # copies of an image are 0 apart
    near = np.exp(-squares / (scale[:, None] * scale[indices]))
    rows = np.repeat(np.arange(count), number)
    weights = scipy.sparse.csr_array((near.ravel(), (rows, indices.ravel())), shape=(count,) * 2)
    weights = weights.maximum(weights.T)
    root = scipy.sparse.diags_array(1 / np.sqrt(np.maximum(weights.sum(axis=1), _TINY)))  # 0: copies alone are near
    return scipy.sparse.csr_array(root @ weights @ root)


def neighbour_graph(images: np.ndarray, data_dir: str = "") -> scipy.sparse.csr_array:
    """S [N, N] of uint8 images [N, H, W, C], whose neighbours are found once and then kept in the cache folder.

    59,000 images of 28 x 28 take a minute or two on two cores the first time.
    """
    images = np.ascontiguousarray(images)
    digest = hashlib.sha256(f"{images.shape}{images.dtype}{NUM_NEIGHBOURS}".encode() + images.data).hexdigest()[:8]
    path, what = cache.folder(data_dir) / "neighbours" / f"{digest}.npz", "cached neighbours"
    if not path.is_file():
        squares, indices = nearest(images, NUM_NEIGHBOURS)
        cache.write(path, {"squares": squares.astype(np.float32), "indices": indices.astype(np.int32)})
    arrays = cache.read(path, what)
    try:
        return weighted_graph(arrays["squares"].astype(np.float64), arrays["indices"])
    except Exception as error:
        raise cache.damaged(path, what, error) from error


def propagate(graph: scipy.sparse.csr_array, chosen: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """The class of every image, int32 [N], -1 where no labelled one can be reached; labels: of the images `chosen`."""
    system = scipy.sparse.eye_array(graph.shape[0]) - _SPREAD * graph
    columns = []
    for label in range(num_classes):
        start = np.zeros(graph.shape[0])
        start[chosen[labels == label]] = 1
        columns.append(cg(system, start, rtol=1e-6)[0] if start.any() else start)
    mass = np.stack(columns, axis=1)
    return np.where(mass.max(axis=1) > 0, mass.argmax(axis=1), _UNREACHED).astype(np.int32)
