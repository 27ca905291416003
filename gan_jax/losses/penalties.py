"""Terms of either player's loss, each a function LossInputs -> scalar; those over classes are in semi_supervised.py."""

import math

import jax
import jax.numpy as jnp

from gan_jax.gan.types import LossInputs
from gan_jax.losses.term import Term


def feature_matching(inputs: LossInputs) -> jax.Array:
    """|| mean f(x) - mean f(G(z)) ||^2 over the discriminator's features f (arXiv 1606.03498, section 3.1).

    The difference of the BATCH MEANS, not the mean of per-image differences. A generator term.
    """
    real, fake = inputs.real.features, inputs.fake.features
    # Means as products with 1 / B: XLA would fuse sums on a CPU with the layer before, at twenty times the time.
    weights = jnp.full(len(real), 1 / len(real))
    return jnp.sum((weights @ real - weights @ fake) ** 2)


def _squared_slopes(inputs: LossInputs, images: jax.Array, labels: jax.Array) -> jax.Array:
    """|| d logit_i / d image_i ||^2 for every image, [B]. Needs a D in which images do not see each other."""
    gradients = jax.grad(lambda x: jnp.sum(inputs.discriminate(x, labels).logits))(images)
    return jnp.sum(gradients**2, axis=(1, 2, 3))


def _distance_from_slope_one(inputs: LossInputs, images: jax.Array) -> jax.Array:
    """mean (|| grad D || - 1)^2 at `images`."""
    # The root has no gradient at 0.
    return jnp.mean((jnp.sqrt(_squared_slopes(inputs, images, inputs.batch.labels) + 1e-12) - 1.0) ** 2)


def r1(inputs: LossInputs) -> jax.Array:
    """mean || grad D(x) ||^2 / 2 at the real images (arXiv 1801.04406, eq. 9). A discriminator term."""
    return 0.5 * jnp.mean(_squared_slopes(inputs, inputs.batch.images, inputs.batch.labels))


def r2(inputs: LossInputs) -> jax.Array:
    """The same at the generated images (arXiv 1801.04406, eq. 10)."""
    return 0.5 * jnp.mean(_squared_slopes(inputs, inputs.fakes.images, inputs.fakes.labels))


def gradient_penalty(inputs: LossInputs) -> jax.Array:
    """mean (|| grad D(x^) || - 1)^2 at x^ = e x + (1 - e) G(z), e ~ U(0, 1) (arXiv 1704.00028, eq. 3)."""
    real = inputs.batch.images
    mix = jax.random.uniform(inputs.key, (len(real), 1, 1, 1))
    return _distance_from_slope_one(inputs, mix * real + (1.0 - mix) * inputs.fakes.images)


def dragan(inputs: LossInputs) -> jax.Array:
    """mean (|| grad D(x^) || - 1)^2 around the real images (arXiv 1705.07215, section 2.3 and its published code).

    x^ = x + e s u / 2 with s the standard deviation of all pixels of the batch, u ~ U(0, 1) a pixel, e ~ U(0, 1) an
    image.
    """
    real = inputs.batch.images
    mix_key, noise_key = jax.random.split(inputs.key)
    mix = jax.random.uniform(mix_key, (len(real), 1, 1, 1))
    noise = jax.random.uniform(noise_key, real.shape)
    return _distance_from_slope_one(inputs, real + mix * 0.5 * jnp.std(real) * noise)


def consistency(inputs: LossInputs) -> jax.Array:
    """mean (D(x) - D(T(x)))^2 over real images and their distortions T (arXiv 1910.12027, eq. 3, on the logits).

    T is `augmentation.consistency`. Both looks are of this term alone, with the same draws inside D.
    """
    distorted = inputs.discriminate(inputs.distort(inputs.key, inputs.batch.images), inputs.batch.labels).logits
    return jnp.mean((inputs.discriminate(inputs.batch.images, inputs.batch.labels).logits - distorted) ** 2)


def historical_averaging(inputs: LossInputs) -> jax.Array:
    """|| theta - (1 / t) sum_i theta[i] ||^2 over all parameters of the player (arXiv 1606.03498, section 3.3).

    A part of the loss, not a step of its own; theta[1] is the start. A term of either player.
    """
    pairs = zip(jax.tree.leaves(inputs.params), jax.tree.leaves(inputs.param_mean["mean"]), strict=True)
    return sum(jnp.sum((now - mean) ** 2) for now, mean in pairs)


def pull_away(inputs: LossInputs) -> jax.Array:
    """Mean squared cosine of the features of two generated images, 1 / (B (B - 1)) sum_{i != j} cos^2(f_i, f_j).

    The pull-away term (arXiv 1609.03126, section 2.4) makes images differ. A generator term.
    """
    features = inputs.fake.features
    features = features / (jnp.linalg.norm(features, axis=-1, keepdims=True) + 1e-12)
    size = len(features)
    return (jnp.sum((features @ features.T) ** 2) - size) / (size * (size - 1))


def low_density(inputs: LossInputs, *, quantile: float = 0.1) -> jax.Array:
    """Mean over generated images of max(log p(G(z)) - e, 0): G leaves the places where real images are dense.

    The low-density part of a complement generator (arXiv 1705.09783, section 3.2), with log p bounded below by e, at
    which its gradient ends in either form. There p is a PixelCNN of images; here it is a Gaussian kernel density of the
    batch's real images in D's features, of bandwidth h, h^2 the mean squared distance to the nearest other one. e is
    the `quantile` of log p over the real images, each without its own kernel. A generator term.
    """
    real, fake = jax.lax.stop_gradient(inputs.real.features), inputs.fake.features

    def distances(features: jax.Array) -> jax.Array:
        return jnp.sum((features[:, None] - real[None]) ** 2, axis=-1)

    between = jnp.where(jnp.eye(len(real), dtype=bool), jnp.inf, distances(real))
    width = 2 * jnp.mean(jnp.min(between, axis=1)) + 1e-12
    # Without the density's constant, which is the same in both.
    bound = jnp.quantile(jax.nn.logsumexp(-between / width, axis=1) - math.log(len(real) - 1), quantile)
    log_p = jax.nn.logsumexp(-distances(fake) / width, axis=1) - math.log(len(real))
    return jnp.mean(jnp.maximum(log_p - bound, 0.0))


TERMS = {
    "consistency": Term(consistency),
    "dragan": Term(dragan, per_example=True),
    "feature_matching": Term(feature_matching),
    "gradient_penalty": Term(gradient_penalty, per_example=True),
    "historical_averaging": Term(historical_averaging, needs_param_mean=True),
    "low_density": Term(low_density),
    "pull_away": Term(pull_away),
    "r1": Term(r1, per_example=True),
    "r2": Term(r2, per_example=True),
}
