"""Extra terms of either player's loss, each a function View -> scalar."""

import math

import jax
import jax.numpy as jnp
import optax

from gan_jax.types import View


def feature_matching(view: View) -> jax.Array:
    """|| mean f(x) - mean f(G(z)) ||^2 over the discriminator's features f (arXiv 1606.03498, section 3.1).

    The difference of the BATCH MEANS, not the mean of per-image differences. A generator term.
    """
    real, fake = view.real.features, view.fake.features
    # Means as products with 1 / B: XLA would fuse sums on a CPU with the layer before, at twenty times the time.
    weights = jnp.full(len(real), 1 / len(real))
    return jnp.sum((weights @ real - weights @ fake) ** 2)


def _cross_entropy(class_logits: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(class_logits, labels))


def classification(view: View) -> jax.Array:
    """Mean cross-entropy of the real images' class logits with their labels (arXiv 1610.09585, L_C on real images).

    In semi-supervised training, of the labelled images alone. A discriminator term.
    """
    if view.labelled is not None:
        return _cross_entropy(view.labelled.class_logits, view.batch.labelled.labels)
    return _cross_entropy(view.real.class_logits, view.batch.labels)


def classification_fake(view: View) -> jax.Array:
    """The same on generated images and the labels that they were conditioned on. A term of either player."""
    return _cross_entropy(view.fake.class_logits, view.fakes.labels)


def classification_as_fake(view: View) -> jax.Array:
    """Mean cross-entropy of generated images with the last class, which stands for "generated" (arXiv 1606.01583).

    For the head `auxiliary_fake`, whose class logits are K + 1. A discriminator term.
    """
    logits = view.fake.class_logits
    return _cross_entropy(logits, jnp.full((len(logits),), logits.shape[-1] - 1))


def _squared_slopes(view: View, images: jax.Array, labels: jax.Array) -> jax.Array:
    """|| d logit_i / d image_i ||^2 for every image, [B]. Needs a D in which images do not see each other."""
    gradients = jax.grad(lambda x: jnp.sum(view.critic(x, labels).logits))(images)
    return jnp.sum(gradients**2, axis=(1, 2, 3))


def _distance_from_slope_one(view: View, images: jax.Array) -> jax.Array:
    """mean (|| grad D || - 1)^2 at `images`."""
    # The root has no gradient at 0.
    return jnp.mean((jnp.sqrt(_squared_slopes(view, images, view.batch.labels) + 1e-12) - 1.0) ** 2)


def r1(view: View) -> jax.Array:
    """mean || grad D(x) ||^2 / 2 at the real images (arXiv 1801.04406, eq. 9). A discriminator term."""
    return 0.5 * jnp.mean(_squared_slopes(view, view.batch.images, view.batch.labels))


def r2(view: View) -> jax.Array:
    """The same at the generated images (arXiv 1801.04406, eq. 10)."""
    return 0.5 * jnp.mean(_squared_slopes(view, view.fakes.images, view.fakes.labels))


def gradient_penalty(view: View) -> jax.Array:
    """mean (|| grad D(x^) || - 1)^2 at x^ = e x + (1 - e) G(z), e ~ U(0, 1) (arXiv 1704.00028, eq. 3)."""
    real = view.batch.images
    mix = jax.random.uniform(view.key, (len(real), 1, 1, 1))
    return _distance_from_slope_one(view, mix * real + (1.0 - mix) * view.fakes.images)


def dragan(view: View) -> jax.Array:
    """mean (|| grad D(x^) || - 1)^2 around the real images (arXiv 1705.07215, section 2.3 and its published code).

    x^ = x + e s u / 2 with s the standard deviation of all pixels of the batch, u ~ U(0, 1) a pixel, e ~ U(0, 1) an
    image.
    """
    real = view.batch.images
    mix_key, noise_key = jax.random.split(view.key)
    mix = jax.random.uniform(mix_key, (len(real), 1, 1, 1))
    noise = jax.random.uniform(noise_key, real.shape)
    return _distance_from_slope_one(view, real + mix * 0.5 * jnp.std(real) * noise)


def consistency(view: View) -> jax.Array:
    """mean (D(x) - D(T(x)))^2 over real images and their distortions T (arXiv 1910.12027, eq. 3, on the logits).

    T is `augmentation.consistency`. Both looks are of this term alone, with the same draws inside D.
    """
    distorted = view.critic(view.distort(view.key, view.batch.images), view.batch.labels).logits
    return jnp.mean((view.critic(view.batch.images, view.batch.labels).logits - distorted) ** 2)


def historical_averaging(view: View) -> jax.Array:
    """|| theta - (1 / t) sum_i theta[i] ||^2 over all parameters of the player (arXiv 1606.03498, section 3.3).

    A part of the loss, not a step of its own; theta[1] is the start. A term of either player.
    """
    pairs = zip(jax.tree.leaves(view.params), jax.tree.leaves(view.history["mean"]), strict=True)
    return sum(jnp.sum((now - mean) ** 2) for now, mean in pairs)


def entropy(view: View) -> jax.Array:
    """Mean over real images of H(p(y | x)) = -sum_k p_k log p_k, conditional entropy (Grandvalet and Bengio 2004).

    A discriminator that is sure of a class for each image puts its boundaries where no images are.
    """
    log_p = jax.nn.log_softmax(view.real.class_logits)
    return -jnp.mean(jnp.sum(jnp.exp(log_p) * log_p, axis=-1))


def class_balance(view: View) -> jax.Array:
    """KL(p(y) || uniform) = log K - H(p(y)) of p(y) = mean p(y | x) over the batch's real images.

    Every class is given to as many images, the marginal class entropy of a CatGAN (arXiv 1511.06390); it presumes
    classes of equal size. A batch's own draw of them alone makes it about (K - 1) / (2 B). A discriminator term.
    """
    log_p = jax.nn.log_softmax(view.real.class_logits)
    log_p = jax.nn.logsumexp(log_p, axis=0) - math.log(len(log_p))
    return math.log(len(log_p)) + jnp.sum(jnp.exp(log_p) * log_p)


def _held_to(view: View, target: str) -> jax.Array:
    """Class logits of the real images that D's are held to: of its own second look, or of the averaged D's."""
    look = view.critic if target == "own" else view.averaged
    return look(view.batch.images, view.batch.labels).class_logits


def noise_consistency(view: View, *, target: str = "own") -> jax.Array:
    """Mean over real images of || p(y | x; n) - p(y | x; n') ||^2 / K for two draws n, n' of D's own noise and dropout.

    The Pi-model (arXiv 1610.02242, section 2.1). target `average`: the second look is the averaged D's, without noise
    (Mean Teacher, arXiv 1703.01780, section 2). A discriminator term.
    """
    again = _held_to(view, target)
    return jnp.mean((jax.nn.softmax(view.real.class_logits) - jax.nn.softmax(again)) ** 2)


def _divergence(p_logits: jax.Array, q_logits: jax.Array) -> jax.Array:
    """KL(p || q) of softmaxes, [B]."""
    log_p, log_q = jax.nn.log_softmax(p_logits), jax.nn.log_softmax(q_logits)
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


def virtual_adversarial(view: View, *, radius: float, probe: float, target: str = "own") -> jax.Array:
    """Mean over real images of KL(p(y | x) || p(y | x + r)), virtual adversarial training (arXiv 1704.03976).

    r is the perturbation of L2 norm `radius` that changes the classes most: one power iteration from a random direction
    d, r = radius g / ||g|| with g the gradient of the divergence at `probe` d (algorithm 1). p(y | x) is held fixed,
    and all looks share their draws inside D; with target `average` p(y | x) is the averaged D's, without noise. A
    discriminator term; needs a D in which images do not see each other.
    """
    images, labels = view.batch.images, view.batch.labels

    def unit(direction: jax.Array) -> jax.Array:
        return direction / (jnp.sqrt(jnp.sum(direction**2, axis=(1, 2, 3), keepdims=True)) + 1e-12)

    def divergence(perturbation: jax.Array) -> jax.Array:
        return _divergence(clean, view.critic(images + perturbation, labels).class_logits)

    clean = jax.lax.stop_gradient(_held_to(view, target))
    start = probe * unit(jax.random.normal(view.key, images.shape))
    worst = jax.grad(lambda perturbation: jnp.sum(divergence(perturbation)))(start)
    return jnp.mean(divergence(radius * unit(jax.lax.stop_gradient(worst))))


def pull_away(view: View) -> jax.Array:
    """Mean squared cosine of the features of two generated images, 1 / (B (B - 1)) sum_{i != j} cos^2(f_i, f_j).

    The pull-away term (arXiv 1609.03126, section 2.4) makes images differ. A generator term.
    """
    features = view.fake.features
    features = features / (jnp.linalg.norm(features, axis=-1, keepdims=True) + 1e-12)
    size = len(features)
    return (jnp.sum((features @ features.T) ** 2) - size) / (size * (size - 1))


def low_density(view: View, *, quantile: float = 0.1) -> jax.Array:
    """Mean over generated images of max(log p(G(z)) - e, 0): G leaves the places where real images are dense.

    The low-density part of a complement generator (arXiv 1705.09783, section 3.2), with log p bounded below by e, at
    which its gradient ends in either form. There p is a PixelCNN of images; here it is a Gaussian kernel density of the
    batch's real images in D's features, of bandwidth h, h^2 the mean squared distance to the nearest other one. e is
    the `quantile` of log p over the real images, each without its own kernel. A generator term.
    """
    real, fake = jax.lax.stop_gradient(view.real.features), view.fake.features

    def distances(features: jax.Array) -> jax.Array:
        return jnp.sum((features[:, None] - real[None]) ** 2, axis=-1)

    between = jnp.where(jnp.eye(len(real), dtype=bool), jnp.inf, distances(real))
    width = 2 * jnp.mean(jnp.min(between, axis=1)) + 1e-12
    # Without the density's constant, which is the same in both.
    bound = jnp.quantile(jax.nn.logsumexp(-between / width, axis=1) - math.log(len(real) - 1), quantile)
    log_p = jax.nn.logsumexp(-distances(fake) / width, axis=1) - math.log(len(real))
    return jnp.mean(jnp.maximum(log_p - bound, 0.0))


TERMS = {
    "class_balance": class_balance,
    "classification": classification,
    "classification_as_fake": classification_as_fake,
    "classification_fake": classification_fake,
    "consistency": consistency,
    "dragan": dragan,
    "entropy": entropy,
    "feature_matching": feature_matching,
    "gradient_penalty": gradient_penalty,
    "historical_averaging": historical_averaging,
    "low_density": low_density,
    "noise_consistency": noise_consistency,
    "pull_away": pull_away,
    "r1": r1,
    "r2": r2,
    "virtual_adversarial": virtual_adversarial,
}

# Terms over class logits.
CLASS_TERMS = (
    "class_balance",
    "classification",
    "classification_as_fake",
    "classification_fake",
    "entropy",
    "noise_consistency",
    "virtual_adversarial",
)
# Terms that hold D's classes of an image to those of a second look, and whose look that is.
HELD_TERMS = ("noise_consistency", "virtual_adversarial")
CLASS_TARGETS = ("own", "average")
# Terms that differentiate what D says of one image with respect to that image.
PER_EXAMPLE_TERMS = ("dragan", "gradient_penalty", "r1", "r2", "virtual_adversarial")
# Terms about what D says of images without a label, which is wrong at first.
RAMPED_TERMS = ("class_balance", "entropy", "noise_consistency", "virtual_adversarial")
