"""Images that D helps to choose, after training: numbered candidates for rejection, and Langevin dynamics in z.

Pure functions of (gan, state, key, labels), as `Gan.sample` is. Both read D's logit as an estimate of
log p_data(x) / p_G(x), which it is only for a D that was trained by cross-entropy (runs/samplers.py refuses others).
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.gan.step import Gan
from gan_jax.gan.types import GanState


class Candidates(NamedTuple):
    """Images [B, H, W, C] of G, D's logits [B] for them, and uniform [B] from U(0, 1), which decides about each."""

    images: jax.Array
    logits: jax.Array
    uniform: jax.Array


def candidates(gan: Gan, state: GanState, key: jax.Array, labels: jax.Array, numbers: jax.Array) -> Candidates:
    """The images with these numbers of the endless series of images of each label. labels, numbers: int [B].

    z and `uniform` follow from (key, label, number) alone: a candidate is the same in a batch of any size, up to the
    rounding of G and D.
    """
    key, dropout_key = jax.random.split(key)

    def draw(label: jax.Array, number: jax.Array) -> tuple[jax.Array, jax.Array]:
        z_key, uniform_key = jax.random.split(jax.random.fold_in(jax.random.fold_in(key, label), number))
        return gan.prior(z_key, 1)[0], jax.random.uniform(uniform_key)

    z, uniform = jax.vmap(draw)(labels, numbers)
    images = gan.generate(state, dropout_key, z, labels)
    return Candidates(images, gan.discriminate(state, images, labels).logits, uniform)


def langevin(
    gan: Gan, state: GanState, key: jax.Array, labels: jax.Array, *, steps: int, step_size: float
) -> jax.Array:
    """Images [B, H, W, C] of z that were moved towards what D finds real: DDLS (Che et al. 2020, arXiv 2003.06060).

        E(z) = -log p_0(z) - logit D(G(z)),    z <- z - (s / 2) grad E(z) + sqrt(s) n,    n ~ N(0, I)

    from z of the prior, `steps` times with the step size s. If D's logit is log p_data / p_G, z with the density
    exp(-E) give images of p_data, as far as G can make them. No step is rejected, so the distribution to which z
    converges has the density exp(-E) only for a small s.

    The prior p_0 must be N(0, I): -log p_0(z) = |z|^2 / 2 + const. No layer of D may mix the images of a batch. With
    `steps` = 0, these are the images of `gan.sample` with the same key.
    """
    z_key, dropout_key, noise_key = jax.random.split(key, 3)

    def energy(z: jax.Array) -> jax.Array:
        """The sum of E over the batch: its gradient has that of each image."""
        logits = gan.discriminate(state, gan.generate(state, dropout_key, z, labels), labels).logits
        return jnp.sum(z**2) / 2 - jnp.sum(logits)

    def move(z: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
        noise = jax.random.normal(jax.random.fold_in(noise_key, number), z.shape)
        return z - step_size / 2 * jax.grad(energy)(z) + math.sqrt(step_size) * noise, None

    z, _ = jax.lax.scan(move, gan.prior(z_key, len(labels)), jnp.arange(steps))
    return gan.generate(state, dropout_key, z, labels)
