"""Instance selection (DeVries et al. 2020, arXiv 2007.15255): training on the most typical images of each class.

Images are points in a space of features. A Gaussian is fitted to them, and the images with the lowest density are left
out before training. The paper fits one Gaussian to all images of a data set. Here each class has a mean of its own, and
the same share of each class is kept, so that the classes stay as frequent as they are. Scores still compare with all
images.
"""

import hashlib

import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.dataset import Dataset
from gan_jax.evaluation import efficientnet_weights
from gan_jax.evaluation.features import EXTRACTORS
from gan_jax.system import cache
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError
from gan_jax.system.progress import Progress

FEATURES = tuple(name for name in EXTRACTORS if name != "inception")  # those that need no file of the user
_CHUNK = 500  # images
_RIDGE = 1e-3  # added to the covariance, as a share of its mean variance: some features are constant


def num_kept(section: ConfigDict, labels: np.ndarray) -> int:
    """The number of training images that training uses. section: config.data; labels: of the training split."""
    share = section.keep_share
    if not 0 < share <= 1:
        raise UserError(f"data.keep_share={share}: a share of the training images, above 0, or 1 for all of them")
    return int(_counts(share, labels).sum())


def _counts(share: float, labels: np.ndarray) -> np.ndarray:
    """How many images of each class are kept: the share, rounded up."""
    return np.ceil(np.bincount(labels) * share - 1e-9).astype(int)


def check(section: ConfigDict, dataset: Dataset) -> None:
    """UserError for settings of config.data that cannot select images of this data set."""
    share = section.keep_share
    choose(FEATURES, section.keep_features, "data.keep_features")
    if share == 1:
        return
    if dataset.is_streamed:
        raise UserError("data.keep_share compares all images in memory: set --config.data.stream=never")
    if section.num_labels:
        raise UserError(
            f"data.keep_share={share} selects by the labels of all images, and data.num_labels={section.num_labels} "
            "hides them; set one of the two"
        )
    if section.keep_features == "imagenet":
        efficientnet_weights.weights_path()


def select(section: ConfigDict, dataset: Dataset, data_dir: str, flips: str) -> Dataset:
    """The data set with the selected training images, in their order. flips: config.eval.classifier_flips."""
    if section.keep_share == 1:
        return dataset
    density, labels = _log_density(section.keep_features, dataset, data_dir, flips), dataset.train.labels
    kept = np.zeros(len(labels), bool)
    for label, count in enumerate(_counts(section.keep_share, labels)):
        rows = np.flatnonzero(labels == label)
        kept[rows[np.argsort(-density[rows], kind="stable")[:count]]] = True
    return dataset._replace(train=dataset.train.select(kept))


def _log_density(name: str, dataset: Dataset, data_dir: str, flips: str) -> np.ndarray:
    """log_density of the training images, from the cache or computed now, which can take minutes."""
    images, labels = dataset.train
    extract, features_name = EXTRACTORS[name](dataset, data_dir, "", flips)
    digest = hashlib.sha256(f"{dataset.fingerprint()} {features_name}".encode()).hexdigest()[:16]
    path = cache.folder(data_dir) / "densities" / f"{digest}.npz"
    if path.is_file():
        return cache.read(path, "cached densities")["log_density"]
    progress, features = Progress(len(labels), 0, "features for data.keep_share"), []
    for start in range(0, len(labels), _CHUNK):
        features.append(extract(images[start : start + _CHUNK])[0])
        progress.update(min(start + _CHUNK, len(labels)))
    progress.close()
    density = log_density(np.concatenate(features), labels)
    cache.write(path, {"log_density": density})
    return density


def log_density(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-(f - m)^T S^-1 (f - m) / 2 of each row f of features [N, F], up to a constant.

    m: the mean of the row's class. S: the covariance of all rows around the means of their classes, and a small
    multiple of the identity. The paper's H_Gaussian (section 3.2) has this form, with one mean.
    """
    deviations = np.array(features, np.float64)
    for label in np.unique(labels):
        deviations[labels == label] -= deviations[labels == label].mean(axis=0)
    covariance = deviations.T @ deviations / len(deviations)
    covariance += np.eye(len(covariance)) * max(_RIDGE * np.trace(covariance) / len(covariance), 1e-12)
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), deviations.T)
    return -np.sum(whitened**2, axis=0) / 2
