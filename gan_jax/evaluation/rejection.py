"""Discriminator rejection sampling: of the images that G makes, those are kept that D finds likely to be real."""

import functools
from collections.abc import Callable

import jax
import numpy as np

from gan_jax.data.dataset import to_uint8
from gan_jax.gan.sampling import Candidates
from gan_jax.gan.types import GanState
from gan_jax.system.errors import UserError

_BATCH_SIZE = 500  # candidates in one forward pass
_EPSILON = 1e-14
_MOST_CANDIDATES = 5000  # for each image that is kept; with fewer than 1 in 5,000, sampling would seem to hang


def log_odds(logits: np.ndarray, maximum: np.ndarray | float) -> np.ndarray:
    """d - M - log(1 - exp(d - M - eps)) of logits d <= M, float64: F below, without gamma; eps = 1e-14.

    sigmoid of it is exp(d - M), the acceptance of rejection sampling, up to eps. It increases with d.
    """
    gap = np.float64(logits) - maximum
    return gap - np.log(-np.expm1(gap - _EPSILON))


def acceptance(
    logits: np.ndarray, maxima: np.ndarray | float, burn_in: np.ndarray, percentile: float, gamma: float | None = None
) -> np.ndarray:
    """The probability [N] that an image with D's logit d [N] is kept (Azadi et al. 2018, arXiv 1810.06758):

        sigmoid(F),    F = d - M - log(1 - exp(d - M - eps)) - gamma

    maxima: M [N], the largest logit so far, with that of the image itself. Then exp(d - M) <= 1.
    burn_in: logits of other images, whose percentile of F is gamma, unless `gamma` is given. The paper takes the 80th
        percentile for ImageNet, of every batch; here it is of the burn-in, with the M of the moment, so that an image
        does not depend on the batch that it is in. F increases with d, so its percentile is F at that of the logits.
    gamma: 0: rejection sampling. If d is log p_data / p_G, the images that are kept have the density p_data, but only
        exp(-M) of all are kept. Another gamma shifts how many are kept, and the density is no longer p_data. By the
        percentile q, at least (100 - q) / 2 percent of images such as those of the burn-in are kept.
    """
    if gamma is None:
        gamma = log_odds(np.percentile(np.float64(burn_in), percentile), maxima)
    # Imported here, because every command imports this module.
    from scipy.special import expit

    return expit(log_odds(logits, maxima) - gamma)


def generate_by_rejection(
    candidates: Callable,
    state: GanState,
    labels: np.ndarray,
    seed: int = 0,
    *,
    burn_in: int = 1000,
    percentile: float = 80.0,
    gamma: float | None = None,
) -> np.ndarray:
    """uint8 [N, H, W, C], one image for each label, by `acceptance`.

    candidates: a compiled gan/sampling.py `candidates`, of (state, key, labels, numbers).
    burn_in: number of images of each label whose largest logit is the first M of this label.

    The images of a label are the first ones that are accepted of its own series, in order, while M grows with every
    larger logit. So they depend neither on the size of a batch (up to rounding) nor on the other labels, and more
    images with the same seed begin with the same ones. If D does not read the label, p_data and p_G are those of all
    labels together. UserError if too few images are accepted.
    """
    burn_in_key, key = jax.random.split(jax.random.key(seed))

    def draw(key: jax.Array, label: int, start: int) -> Candidates:
        numbers = np.arange(start, start + _BATCH_SIZE, dtype=np.int32)
        drawn = jax.tree.map(np.asarray, candidates(state, key, np.full(_BATCH_SIZE, label, np.int32), numbers))
        if not np.isfinite(drawn.logits).all():
            raise UserError("sampler=drs: D's logits of generated images are not finite; sample without it")
        return drawn

    def images_of(label: int, count: int) -> np.ndarray:
        first = [draw(burn_in_key, label, start).logits for start in range(0, burn_in, _BATCH_SIZE)]
        first = np.concatenate(first)[:burn_in]
        probabilities = functools.partial(acceptance, burn_in=first, percentile=percentile, gamma=gamma)
        return _accepted(functools.partial(draw, key, label), probabilities, first.max(), count, label)

    by_label = np.concatenate([images_of(*pair) for pair in zip(*np.unique(labels, return_counts=True), strict=True)])
    images = np.empty_like(by_label)
    images[np.argsort(labels, kind="stable")] = by_label
    return images


def _accepted(draw: Callable, probabilities: Callable, maximum: float, count: int, label: int) -> np.ndarray:
    """The first `count` images, uint8, that are accepted of a label's series.

    draw: first number of a batch -> Candidates. probabilities: (logits, maxima) -> acceptance. maximum: M at the start.
    """
    kept, num_kept, start = [], 0, 0
    while num_kept < count:
        if start > _MOST_CANDIDATES * (num_kept + 1):
            raise UserError(
                f"sampler=drs keeps {num_kept} of {start} images of label {label}; set a lower percentile or gamma"
            )
        drawn = draw(start)
        maxima = np.maximum(np.maximum.accumulate(drawn.logits), maximum)
        accepted = drawn.uniform < probabilities(drawn.logits, maxima)
        kept.append(to_uint8(drawn.images[accepted]))
        maximum, num_kept, start = maxima[-1], num_kept + accepted.sum(), start + len(accepted)
    return np.concatenate(kept)[:count]
