"""What a loss sees of a step, for a discriminator that is linear: its answers are known by hand."""

import jax
import jax.numpy as jnp

from gan_jax.gan.types import Batch, DiscriminatorOutput, LossInputs
from gan_jax.losses.targets import constant

W = jax.random.normal(jax.random.key(5), (4 * 4,))


def linear_critic(images, labels):
    features = images.reshape(len(images), -1)
    return DiscriminatorOutput(features @ W, features, features[:, :3])


def view():
    """Six real and six generated images of noise, of three classes, with what the linear critic says of them."""
    real, fake = (jax.random.normal(jax.random.key(seed), (6, 4, 4, 1)) for seed in (0, 1))
    labels = jnp.arange(6) % 3
    return LossInputs(
        batch=Batch(real, labels),
        fakes=Batch(fake, labels),
        real=linear_critic(real, labels),
        fake=linear_critic(fake, labels),
        labelled=None,
        targets=constant(jax.random.key(0), 6, real=1.0, fake=0.0, generator=1.0),
        discriminate=linear_critic,
        discriminate_ema=linear_critic,
        distort=lambda key, images: images + 0.5,
        params={"a": jnp.array([1.0, 2.0]), "b": {"c": jnp.array(3.0)}},
        param_mean={"mean": {"a": jnp.array([0.0, 2.5]), "b": {"c": jnp.array(1.0)}}, "count": jnp.array(4)},
        step=jnp.array(25),
        key=jax.random.key(2),
    )
