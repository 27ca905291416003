"""Pages with images of noise, and the expected statistics of answers."""

import numpy as np
from scipy.stats import binomtest

from gan_jax.analysis import turing_test

PROVENANCE = {"workdir": "run", "step": 7, "data": "idx", "requested_data": "idx"}
COUNTS = [(0, 1), (1, 2), (2, 6), (0, 12), (12, 12), (35, 60), (21, 60), (39, 60), (1000, 2001), (5300, 10000)]


def noise_page(num_images, feedback=False, **provenance):
    """(HTML, "real" or "fake" for each image) of images of noise; half of them are labelled real."""
    images = np.random.default_rng(0).integers(0, 256, (num_images, 8, 8, 3), np.uint8)
    truths = ["real", "fake", "fake", "real"] * (num_images // 4)
    return turing_test.render(images, truths, {**PROVENANCE, **provenance}, feedback), truths


def check_statistics(intervals, p_values):
    """Compares the page's intervals and p-values of COUNTS, (right, total), with SciPy's."""
    for (right, total), interval, p_value in zip(COUNTS, intervals, p_values, strict=True):
        expected = binomtest(right, total)
        np.testing.assert_allclose(interval, expected.proportion_ci(method="wilson"), atol=1e-12)
        np.testing.assert_allclose(p_value, expected.pvalue, rtol=1e-9)
