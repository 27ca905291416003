"""The resampling of R3GAN and StyleGAN2 in NumPy and SciPy: the binomial filter of four taps."""

import numpy as np
import scipy

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def planes(x, function):
    """`function` of each image and channel."""
    y = [[function(image[..., channel]) for channel in range(x.shape[3])] for image in x]
    return np.moveaxis(np.array(y), 1, 3)


def halved(x):
    return planes(x, lambda plane: scipy.signal.correlate2d(np.pad(plane, 1), FILTER, "valid")[::2, ::2])


def doubled(x):
    """Zeros between the pixels, then the filter, with four times its weight."""

    def function(plane):
        spread = np.zeros((2 * len(plane), 2 * len(plane)))
        spread[::2, ::2] = plane
        return scipy.signal.correlate2d(np.pad(spread, ((2, 1), (2, 1))), 4 * FILTER, "valid")

    return planes(x, function)
