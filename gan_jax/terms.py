"""Extra terms of either player's loss, each a function View -> scalar, and their weighted sum."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from gan_jax.types import View


def feature_matching(view: View) -> jax.Array:
    """|| mean f(x) - mean f(G(z)) ||^2 over the discriminator's features f (arXiv 1606.03498, section 3.1).

    The difference of the BATCH MEANS, not the mean of per-image differences. A generator term.
    """
    return jnp.sum((jnp.mean(view.real.features, axis=0) - jnp.mean(view.fake.features, axis=0)) ** 2)


def classification(view: View) -> jax.Array:
    """Mean cross-entropy of the real images' class logits with their labels (arXiv 1610.09585, L_C on real images)."""
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(view.real.class_logits, view.batch.labels))


def classification_fake(view: View) -> jax.Array:
    """The same on generated images and the labels that they were conditioned on."""
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(view.fake.class_logits, view.fakes.labels))


def _squared_slopes(view: View, images: jax.Array, labels: jax.Array) -> jax.Array:
    """|| d logit_i / d image_i ||^2 for every image, [B]. Needs a D in which images do not see each other."""
    gradients = jax.grad(lambda x: jnp.sum(view.critic(x, labels).logits))(images)
    return jnp.sum(gradients**2, axis=(1, 2, 3))


def r1(view: View) -> jax.Array:
    """mean || grad D(x) ||^2 / 2 at the real images (arXiv 1801.04406, eq. 9). A discriminator term."""
    return 0.5 * jnp.mean(_squared_slopes(view, *view.batch))


def gradient_penalty(view: View) -> jax.Array:
    """mean (|| grad D(x^) || - 1)^2 at x^ = e x + (1 - e) G(z), e ~ U(0, 1) (arXiv 1704.00028, eq. 3)."""
    real, labels = view.batch
    mix = jax.random.uniform(view.key, (len(labels), 1, 1, 1))
    squares = _squared_slopes(view, mix * real + (1.0 - mix) * view.fakes.images, labels)
    return jnp.mean((jnp.sqrt(squares + 1e-12) - 1.0) ** 2)


TERMS = {
    "classification": classification,
    "classification_fake": classification_fake,
    "feature_matching": feature_matching,
    "gradient_penalty": gradient_penalty,
    "r1": r1,
}

# Terms over class logits.
CLASS_TERMS = ("classification", "classification_fake")
# Terms that differentiate one logit with respect to one image.
PER_EXAMPLE_TERMS = ("gradient_penalty", "r1")


def weighted_sum(prefix: str, parts: dict[str, tuple[float, Callable[[View], jax.Array]]]) -> Callable:
    """View -> (sum of weight * term, {"<prefix>_loss": the sum, "<prefix>_<name>": each term, unweighted}).

    A term of weight 0 is not computed. A sum of one part is reported as the loss alone.
    """
    active = {name: part for name, part in parts.items() if part[0] != 0}

    def loss(view: View) -> tuple[jax.Array, dict[str, jax.Array]]:
        values = {name: term(view) for name, (_, term) in active.items()}
        total = sum((active[name][0] * value for name, value in values.items()), jnp.zeros(()))
        named = {f"{prefix}_{name}": value for name, value in values.items()} if len(values) > 1 else {}
        return total, {f"{prefix}_loss": total, **named}

    return loss
