"""Toy GANs whose density ratio is known, for samplers: G and D are functions without parameters."""

import types

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

# Of a label, p_data is N(mean, DEVIATION^2) and p_G is N(0, 1): p_data / p_G has a largest value.
MEANS, DEVIATION = jnp.array([0.5, -0.3]), 0.7


def one_dimensional():
    """G draws x from N(0, 1); the pixel [B, 1, 1, 1] is 2 P(x) - 1, P the distribution function of p_data.

    So bytes of images of p_data are uniform, up to the half bins at 0 and 255. D's logit is log p_data / p_G.
    """

    def generate(state, key, z, labels):
        return (2 * norm.cdf((z - MEANS[labels][:, None]) / DEVIATION) - 1).reshape(-1, 1, 1, 1)

    def discriminate(state, images, labels):
        probability = jnp.clip((images.reshape(-1) + 1) / 2, 1e-6, 1 - 1e-6)
        x = MEANS[labels] + DEVIATION * norm.ppf(probability)
        logits = norm.logpdf(x, MEANS[labels], DEVIATION) - norm.logpdf(x)
        return types.SimpleNamespace(logits=logits)

    return _gan(generate, discriminate, size=1)


def gaussian(center, deviation):
    """G(z) = z as an image [B, 1, 1, Z]; D's logit is -|x - c|^2 / (2 deviation^2), c of center [K, Z]."""
    center = jnp.asarray(center, jnp.float32)

    def discriminate(state, images, labels):
        distance = images.reshape(len(labels), -1) - center[labels]
        return types.SimpleNamespace(logits=-jnp.sum(distance**2, axis=1) / (2 * deviation**2))

    return _gan(lambda state, key, z, labels: z[:, None, None, :], discriminate, size=center.shape[1])


def _gan(generate, discriminate, size):
    return types.SimpleNamespace(
        prior=lambda key, count: jax.random.normal(key, (count, size)), generate=generate, discriminate=discriminate
    )


def counts_of_bytes(images, num_bins=16):
    """(numbers of bytes in bins of equal width, the numbers that uniform reals have on average)."""
    edges = (np.linspace(0, 256, num_bins + 1) - 0.5).clip(0, 255)
    return np.histogram(images, edges)[0], len(images.ravel()) * np.diff(edges) / 255
