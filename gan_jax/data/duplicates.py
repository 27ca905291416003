"""Near-duplicates between two sets of images: copies that were resized or compressed again.

Two images are near-duplicates if they have the same difference hash, and a correlation of pixels of 0.98 or more. The
hash has a bit for each pair of horizontal neighbours in 8 rows of 9 grey means: which one is brighter.
"""

import numpy as np

_ROWS, _COLUMNS = 8, 9
_LEAST_CORRELATION = 0.98
_MOST_COMPARED = 100  # images of one hash that an image is compared with; blank images all have one hash
_AT_ONCE = 4096


def near_duplicates(train: np.ndarray, test: np.ndarray) -> list[tuple[int, int]]:
    """(row in test, row in train) for each test image with a near-duplicate: the most similar one.

    train, test: uint8 [N, H, W, C] of one size.
    """
    train_hashes, rows_by_hash = difference_hashes(train), {}
    for row, value in enumerate(train_hashes.tolist()):
        rows_by_hash.setdefault(value, []).append(row)
    pairs = []
    for row, value in enumerate(difference_hashes(test).tolist()):
        if candidates := rows_by_hash.get(value, [])[:_MOST_COMPARED]:
            similarity = _correlations(test[row], train[np.array(candidates)])
            if similarity.max() >= _LEAST_CORRELATION:
                pairs.append((row, candidates[int(similarity.argmax())]))
    return pairs


def difference_hashes(images: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W, C] -> uint64 [N]."""
    height, width = images.shape[1:3]
    rows, columns = _area_weights(height, _ROWS), _area_weights(width, _COLUMNS)
    hashes = [np.zeros(0, np.uint64)]
    for start in range(0, len(images), _AT_ONCE):
        grey = images[start : start + _AT_ONCE].mean(axis=3, dtype=np.float32)
        means = rows @ grey @ columns.T
        bits = (means[:, :, 1:] > means[:, :, :-1]).reshape(len(grey), -1)
        hashes.append(np.packbits(bits, axis=1).view(np.uint64)[:, 0])
    return np.concatenate(hashes)


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
