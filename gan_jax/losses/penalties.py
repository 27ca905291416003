"""Terms of the losses, each a function LossInputs -> scalar. Terms over classes are in semi_supervised.py."""

import math

import jax
import jax.numpy as jnp

from gan_jax.gan.tracking import Tracker, mean_logit
from gan_jax.gan.types import Batch, LossInputs
from gan_jax.losses import needs
from gan_jax.losses.term import Knob, Term


def feature_matching(inputs: LossInputs) -> jax.Array:
    """|| mean f(x) - mean f(G(z)) ||^2 over the discriminator's features f (arXiv 1606.03498, section 3.1).

    This is the difference of the BATCH MEANS, not the mean of the differences of images. A generator term.
    """
    real, fake = inputs.real.features, inputs.fake.features
    # The means are products with 1 / B: on a CPU, XLA would fuse a sum with the layer before, which takes twenty times
    # as long.
    weights = jnp.full(len(real), 1 / len(real))
    return jnp.sum((weights @ real - weights @ fake) ** 2)


def _squared_gradient_norms(inputs: LossInputs, images: jax.Array, labels: jax.Array) -> jax.Array:
    """|| d logit_i / d image_i ||^2 for every image, [B]. No layer of D may mix the images of a batch."""
    gradients = jax.grad(lambda x: jnp.sum(inputs.discriminate(x, labels).logits))(images)
    return jnp.sum(gradients**2, axis=(1, 2, 3))


def _above_norm_one(inputs: LossInputs, images: jax.Array) -> jax.Array:
    """|| grad D || - 1 at each of `images`, [B]."""
    # Plus 1e-12, because the root has no gradient at 0.
    return jnp.sqrt(_squared_gradient_norms(inputs, images, inputs.batch.labels) + 1e-12) - 1.0


def _between(inputs: LossInputs) -> jax.Array:
    """x^ = e x + (1 - e) G(z), e ~ U(0, 1): images between real and generated ones."""
    real = inputs.batch.images
    mix = jax.random.uniform(inputs.key, (len(real), 1, 1, 1))
    return mix * real + (1.0 - mix) * inputs.fakes.images


def r1(inputs: LossInputs) -> jax.Array:
    """mean || grad D(x) ||^2 / 2 at the real images (arXiv 1801.04406, eq. 9). A discriminator term."""
    return 0.5 * jnp.mean(_squared_gradient_norms(inputs, inputs.batch.images, inputs.batch.labels))


def r2(inputs: LossInputs) -> jax.Array:
    """mean || grad D(G(z)) ||^2 / 2 at the generated images (arXiv 1801.04406, eq. 10). A discriminator term."""
    return 0.5 * jnp.mean(_squared_gradient_norms(inputs, inputs.fakes.images, inputs.fakes.labels))


def r1_r2(inputs: LossInputs) -> jax.Array:
    """r1 + r2, the penalties of R3GAN (arXiv 2501.05441, equation 3), with one forward pass and one gradient of both.

    With the relativistic pairing loss, R1 alone does not make the training converge (section 2.3). A discriminator
    term.
    """
    # The rows of both batches alternate, so that every row stays on its device.
    images, labels = (
        jnp.stack([getattr(batch, name) for batch in (inputs.batch, inputs.fakes)], axis=1)
        for name in ("images", "labels")
    )
    images = images.reshape(-1, *images.shape[2:])
    return jnp.mean(_squared_gradient_norms(inputs, images, labels.reshape(-1)))


def lecam(inputs: LossInputs, *, decay: float) -> jax.Array:
    """mean (D(x) - a_fake)^2 + mean (D(G(z)) - a_real)^2, with a the moving average of D's mean output of each kind.

    LeCam regularisation (arXiv 2104.03310, equation 6 and section 3.2, where the decay is 0.99): D must not separate
    few real images from the fakes ever further. The averages are those before this update, and start at 0; in the
    first updates they say little, so the weight should start at 0, as linear:0:0.3:0.1. The published code keeps the
    distance of one side only, max(D(x) - a_fake, 0) and max(a_real - D(G(z)), 0). A discriminator term.
    """
    del decay
    tracked = inputs.progress.tracked
    real = jnp.mean((inputs.real.logits - tracked["mean_fake_logit"]) ** 2)
    return real + jnp.mean((inputs.fake.logits - tracked["mean_real_logit"]) ** 2)


def _mean_logits(decay: float) -> dict[str, Tracker]:
    return {f"mean_{of}_logit": mean_logit(of, decay) for of in ("real", "fake")}


def gradient_penalty(inputs: LossInputs) -> jax.Array:
    """mean (|| grad D(x^) || - 1)^2 at x^ = e x + (1 - e) G(z), e ~ U(0, 1) (arXiv 1704.00028, eq. 3)."""
    return jnp.mean(_above_norm_one(inputs, _between(inputs)) ** 2)


def lipschitz_penalty(inputs: LossInputs) -> jax.Array:
    """mean max(|| grad D(x^) || - 1, 0)^2 at these x^: slopes below 1 are free (WGAN-LP, arXiv 1709.08894, eq. 8)."""
    return jnp.mean(jax.nn.relu(_above_norm_one(inputs, _between(inputs))) ** 2)


def dragan(inputs: LossInputs) -> jax.Array:
    """mean (|| grad D(x^) || - 1)^2 around the real images (arXiv 1705.07215, section 2.3 and its published code).

    x^ = x + e s u / 2, with s the standard deviation of all pixels of the batch, u ~ U(0, 1) drawn for every pixel, and
    e ~ U(0, 1) drawn for every image.
    """
    real = inputs.batch.images
    mix_key, noise_key = jax.random.split(inputs.key)
    mix = jax.random.uniform(mix_key, (len(real), 1, 1, 1))
    noise = jax.random.uniform(noise_key, real.shape)
    return jnp.mean(_above_norm_one(inputs, real + mix * 0.5 * jnp.std(real) * noise) ** 2)


def _squared_change(inputs: LossInputs, batch: Batch, changed: jax.Array) -> jax.Array:
    """mean (D(x) - D(x'))^2 for the images x of a batch and the same images after a change, x'."""
    before, after = (inputs.discriminate(images, batch.labels).logits for images in (batch.images, changed))
    return jnp.mean((before - after) ** 2)


def consistency(inputs: LossInputs) -> jax.Array:
    """mean (D(x) - D(T(x)))^2 over real images and their distortions T (arXiv 1910.12027, eq. 3, on the logits).

    T is `augmentation.consistency`. This term makes two additional forward passes with the same random draws inside D.
    """
    return _squared_change(inputs, inputs.batch, inputs.distort(inputs.key, inputs.batch.images))


def consistency_fake(inputs: LossInputs) -> jax.Array:
    """mean (D(G(z)) - D(T(G(z))))^2, the same of generated images.

    With `consistency` it is balanced consistency regularisation, bCR (arXiv 2002.04724, section 3.1): with real images
    alone, G can learn to make images with the artefacts of T. A discriminator term.
    """
    return _squared_change(inputs, inputs.fakes, inputs.distort(inputs.key, inputs.fakes.images))


def _moved(inputs: LossInputs, stddev: float) -> jax.Array:
    """G's images for z + N(0, stddev^2)."""
    z = inputs.z
    return inputs.generate(z + stddev * jax.random.normal(inputs.key, z.shape))


def latent_consistency(inputs: LossInputs, *, stddev: float) -> jax.Array:
    """mean (D(G(z)) - D(G(z + e)))^2, e ~ N(0, stddev^2), zCR (arXiv 2002.04724, eq. 3). A discriminator term."""
    return _squared_change(inputs, inputs.fakes, _moved(inputs, stddev))


def latent_diversity(inputs: LossInputs, *, stddev: float) -> jax.Array:
    """-mean || G(z) - G(z + e) ||^2 / pixels, zCR (arXiv 2002.04724, eq. 4): images of similar z differ.

    A generator term. The paper has the sum over pixels with a weight of 0.5; here it is the mean, so that the weight
    does not depend on the size of the images.
    """
    return -jnp.mean((inputs.fakes.images - _moved(inputs, stddev)) ** 2)


def historical_averaging(inputs: LossInputs) -> jax.Array:
    """|| theta - (1 / t) sum_i theta[i] ||^2 over all parameters of the player (arXiv 1606.03498, section 3.3).

    It is a term of the loss, not a separate step. theta[1] is the initial value. A term of either player.
    """
    pairs = zip(jax.tree.leaves(inputs.params), jax.tree.leaves(inputs.param_mean["mean"]), strict=True)
    return sum(jnp.sum((current - mean) ** 2) for current, mean in pairs)


def mutual_information(inputs: LossInputs) -> jax.Array:
    """mean || c - q(G(z)) ||^2 / 2: minus the bound L_I of InfoGAN, up to a constant (arXiv 1606.03657, equation 5).

    c: the first entries of z, the codes; q: what D's head `info` predicts, the mean of a Gaussian of variance 1. Both
    players minimise it. A categorical code is a label: `classification_fake` in both losses, without `classification`.
    """
    predicted = inputs.fake.extras["codes"]
    codes = inputs.z[:, : predicted.shape[1]]
    return 0.5 * jnp.mean(jnp.sum((codes - predicted) ** 2, axis=1))


def orthogonal(inputs: LossInputs) -> jax.Array:
    """The sum over all kernels W [inputs, outputs] of || W^T W (1 - I) ||_F^2, elementwise (arXiv 1809.11096, eq. 3).

    Orthogonal regularisation of BigGAN: the columns of a kernel become orthogonal, and their lengths are free. The
    kernel of a convolution has a column for each output channel. Embeddings are not kernels. The paper's weight is
    1e-4. A term of either player.
    """
    kernels = [leaf for path, leaf in jax.tree.leaves_with_path(inputs.params) if path[-1].key == "kernel"]
    products = [matrix.T @ matrix for matrix in (kernel.reshape(-1, kernel.shape[-1]) for kernel in kernels)]
    return sum((jnp.sum((gram * (1 - jnp.eye(len(gram)))) ** 2) for gram in products), jnp.zeros(()))


def pull_away(inputs: LossInputs) -> jax.Array:
    """1 / (B (B - 1)) sum_{i != j} cos^2(f_i, f_j): mean squared cosine of the features of two generated images.

    The pull-away term (arXiv 1609.03126, section 2.4) makes generated images different. A generator term.
    """
    features = inputs.fake.features
    features = features / (jnp.linalg.norm(features, axis=-1, keepdims=True) + 1e-12)
    size = len(features)
    return (jnp.sum((features @ features.T) ** 2) - size) / (size * (size - 1))


def low_density(inputs: LossInputs, *, quantile: float = 0.1) -> jax.Array:
    """Mean over generated images of max(log p(G(z)) - e, 0): G avoids regions with many real images.

    The low-density term of a complement generator (arXiv 1705.09783, section 3.2). log p has the lower bound e, below
    which the gradient is 0, as in the paper. In the paper, p is a PixelCNN of images. Here, p is a Gaussian kernel
    density of the batch's real images in D's features, and the square of its bandwidth is the mean squared distance
    between a real image and its nearest neighbour. e is the `quantile` of log p over the real images, each without its
    own kernel. A generator term.
    """
    real, fake = jax.lax.stop_gradient(inputs.real.features), inputs.fake.features

    def distances(features: jax.Array) -> jax.Array:
        return jnp.sum((features[:, None] - real[None]) ** 2, axis=-1)

    between = jnp.where(jnp.eye(len(real), dtype=bool), jnp.inf, distances(real))
    width = 2 * jnp.mean(jnp.min(between, axis=1)) + 1e-12
    # The normalizing constant of the density is left out, because it is the same in `bound` and `log_p`.
    bound = jnp.quantile(jax.nn.logsumexp(-between / width, axis=1) - math.log(len(real) - 1), quantile)
    log_p = jax.nn.logsumexp(-distances(fake) / width, axis=1) - math.log(len(real))
    return jnp.mean(jnp.maximum(log_p - bound, 0.0))


_STDDEV = Knob(0.1, "more than 0", lambda value: value > 0)  # of the noise that is added to z

TERMS = {
    # (D(x) - D(T(x)))^2 with the distortions T of augmentation.consistency
    "consistency": Term(consistency, "d", needs=(needs.distortion,)),
    # The same of generated images
    "consistency_fake": Term(consistency_fake, "d", needs=(needs.distortion,)),
    "dragan": Term(dragan, "d", per_example=True),  # (|grad D| - 1)^2 around real images
    "feature_matching": Term(feature_matching, "g"),  # (mean features of real - of generated images)^2
    "gradient_penalty": Term(gradient_penalty, "d", per_example=True),  # (|grad D| - 1)^2 between real and generated
    # Squared distance of the parameters from the mean of their past values
    "historical_averaging": Term(historical_averaging, "dg", needs_param_mean=True),
    # (D(G(z)) - D(G(z + noise)))^2
    "latent_consistency": Term(latent_consistency, "d", {"stddev": _STDDEV}),
    # -(G(z) - G(z + noise))^2
    "latent_diversity": Term(latent_diversity, "g", {"stddev": _STDDEV}),
    # Distance of D's outputs of one kind from the mean of the other kind
    "lecam": Term(
        lecam,
        "d",
        knobs={"decay": Knob(0.99, "at least 0 and less than 1", lambda value: 0 <= value < 1)},
        trackers=_mean_logits,
    ),
    # max(|grad D| - 1, 0)^2 between real and generated images
    "lipschitz_penalty": Term(lipschitz_penalty, "d", per_example=True),
    # Penalises generated images in regions where features of real images are dense
    "low_density": Term(low_density, "g", needs=(needs.two_images,)),
    # (codes - D's prediction of the codes)^2
    "mutual_information": Term(mutual_information, "dg", needs=(needs.head("info"), needs.codes)),
    "orthogonal": Term(orthogonal, "dg"),  # the columns of every kernel become orthogonal
    "pull_away": Term(pull_away, "g", needs=(needs.two_images,)),  # mean squared cosine of generated images' features
    "r1": Term(r1, "d", per_example=True),  # |grad D|^2 / 2 at real images
    "r1_r2": Term(r1_r2, "d", per_example=True),  # the sum of r1 and r2, at once
    "r2": Term(r2, "d", per_example=True),  # |grad D|^2 / 2 at generated images
}
