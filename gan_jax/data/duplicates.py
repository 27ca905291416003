"""Near-duplicates between two sets of images: copies that were resized or compressed again.

Two images are near-duplicates if their difference hashes differ in at most 6 of 64 bits, and their pixels have a
correlation of 0.98 or more. The hash has a bit for each pair of horizontal neighbours in 8 rows of 9 grey means: which
one is brighter.
"""

import numpy as np

_ROWS, _COLUMNS = 8, 9
_MOST_BITS = 6
_LEAST_CORRELATION = 0.98
_MOST_COMPARED = 100  # training images that an image is compared with; blank images all have one hash
_AT_ONCE = 2048  # images that are hashed
_COMPARED_AT_ONCE = 512  # test images; larger blocks of products take longer to get from the system than to compute


def near_duplicates(train: np.ndarray, test: np.ndarray) -> list[tuple[int, int]]:
    """(row in test, row in train) for each test image with a near-duplicate: the most similar one.

    train, test: uint8 [N, H, W, C] of one size.
    """
    train_hashes, test_hashes, pairs = difference_hashes(train), difference_hashes(test), []
    # The product of two hashes is the number of equal bits minus that of different ones.
    least = train_hashes.shape[1] - 2 * _MOST_BITS
    products = np.empty((_COMPARED_AT_ONCE, len(train)), np.float32)
    for start in range(0, len(test), _COMPARED_AT_ONCE):
        hashes = test_hashes[start : start + _COMPARED_AT_ONCE]
        found = np.matmul(hashes, train_hashes.T, out=products[: len(hashes)])
        for row in np.flatnonzero(found.max(axis=1) >= least):
            candidates = np.flatnonzero(found[row] >= least)[:_MOST_COMPARED]
            similarity = _correlations(test[start + row], train[candidates])
            if similarity.max() >= _LEAST_CORRELATION:
                pairs.append((start + int(row), int(candidates[similarity.argmax()])))
    return pairs


def difference_hashes(images: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W, C] -> float32 [N, 64], a bit as 1 or -1."""
    _, height, width, channels = images.shape
    # The mean over the channels is a part of the mean over columns: a mean over an axis of 3 alone is slow.
    rows, columns = _area_weights(height, _ROWS), _area_weights(width, _COLUMNS).repeat(channels, axis=1)
    hashes = np.empty((len(images), _ROWS * (_COLUMNS - 1)), np.float32)
    for start in range(0, len(images), _AT_ONCE):
        some = images[start : start + _AT_ONCE].reshape(-1, height, width * channels).astype(np.float32)
        sums = rows @ some @ columns.T
        hashes[start : start + len(some)] = np.where(sums[:, :, 1:] > sums[:, :, :-1], 1, -1).reshape(len(some), -1)
    return hashes


def _area_weights(size: int, cells: int) -> np.ndarray:
    """float32 [cells, size]: each row has the share of every pixel in one of `cells` equal parts of the side."""
    edges = np.arange(cells + 1) * size / cells
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.clip(overlap, 0, None) * cells / size).astype(np.float32)


def _correlations(image: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of the pixels of an image with each of the others; of two images of one colour, 1 if they are equal."""
    a = image.reshape(1, -1).astype(np.float32)
    b = others.reshape(len(others), -1).astype(np.float32)
    equal = (a == b).all(axis=1)
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.where(equal, 1.0, (a * b).sum(axis=1) / np.maximum(norms, 1e-6))
