"""Real and fake targets: what a discriminator's outputs are compared with."""

import jax
import jax.numpy as jnp

from gan_jax.types import Targets


def constant(key: jax.Array, num_images: int, *, real: float, fake: float, generator: float) -> Targets:
    """The same target for every image. real=1, fake=0, generator=1 is the plain game.

    real=0.9 alone is one-sided label smoothing (arXiv 1606.03498, section 3.4); the generator's own target is a value
    of its own, so that smoothing D's targets leaves G's loss as it was.
    """
    del key
    return Targets(*(jnp.full((num_images,), value) for value in (real, fake, generator)))
