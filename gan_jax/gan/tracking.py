"""Numbers that follow D's outputs during training: one scalar each, kept in D's state, updated with every update of D.

They let a part of the step depend on how training goes: the probability of augmentation, or a penalty's reference.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.gan.types import DiscriminatorOutput


class Tracker(NamedTuple):
    """initial: the number at the start. update: (number, D's output for real images, for fakes) -> number."""

    initial: float
    update: Callable[[jax.Array, DiscriminatorOutput, DiscriminatorOutput], jax.Array]


def probability(target: float, num_images: float) -> Tracker:
    """p <- clip(p + sign(r - target) B / num_images, 0, 1), with r = mean sign(D(x)) over B real images.

    The heuristic r_t of adaptive discriminator augmentation (arXiv 2006.06676, equation 1 and section 3.1, where the
    target is 0.6 and num_images is 500,000). The paper averages r over four batches and changes p after every fourth.
    Here, p changes with every update of D.
    """

    def update(p: jax.Array, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> jax.Array:
        del fake
        overfitting = jnp.mean(jnp.sign(real.logits))
        return jnp.clip(p + jnp.sign(overfitting - target) * (len(real.logits) / num_images), 0.0, 1.0)

    return Tracker(0.0, update)


def mean_logit(of: str, decay: float) -> Tracker:
    """The exponential moving average of D's mean output: a <- decay a + (1 - decay) mean D. of: "real" or "fake"."""

    def update(mean: jax.Array, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> jax.Array:
        logits = {"real": real, "fake": fake}[of].logits
        return decay * mean + (1 - decay) * jnp.mean(logits)

    return Tracker(0.0, update)
