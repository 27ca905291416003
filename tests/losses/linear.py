"""The LossInputs of a linear discriminator, whose outputs and gradients are known by hand."""

import jax
import jax.numpy as jnp

from gan_jax.gan.types import Batch, DiscriminatorOutput, LossInputs, Progress
from gan_jax.losses.targets import constant

W = jax.random.normal(jax.random.key(5), (4 * 4,))


def linear_discriminator(images, labels):
    features = images.reshape(len(images), -1)
    unit = features / jnp.linalg.norm(features, axis=1, keepdims=True)
    extras = {
        "twin_logits": features[:, 3:6],
        "all_class_logits": features[:, :6],
        "codes": features[:, 4:6],
        "embedding": unit,
        "proxy": unit[:, ::-1],
    }
    return DiscriminatorOutput(features @ W, features, features[:, :3], extras)


def linear_inputs():
    """Six real and six generated images of noise, of three classes, with the outputs of the linear discriminator."""
    real, fake = (jax.random.normal(jax.random.key(seed), (6, 4, 4, 1)) for seed in (0, 1))
    labels = jnp.arange(6) % 3
    return LossInputs(
        batch=Batch(real, labels),
        fakes=Batch(fake, labels),
        real=linear_discriminator(real, labels),
        fake=linear_discriminator(fake, labels),
        labelled=None,
        targets=constant(jax.random.key(0), 6, real=1.0, fake=0.0, generator=1.0),
        discriminate=linear_discriminator,
        discriminate_ema=linear_discriminator,
        z=jnp.arange(12.0).reshape(6, 2),
        # A generator whose images are the sums of z, weighted for each pixel.
        generate=lambda z: fake + jnp.sum(z - jnp.arange(12.0).reshape(6, 2), axis=1)[:, None, None, None],
        distort=lambda key, images: images + 0.5,
        params={"a": jnp.array([1.0, 2.0]), "b": {"c": jnp.array(3.0)}},
        param_mean={"mean": {"a": jnp.array([0.0, 2.5]), "b": {"c": jnp.array(1.0)}}, "count": jnp.array(4)},
        progress=Progress(jnp.array(25), {"mean_real_logit": jnp.array(0.4), "mean_fake_logit": jnp.array(-0.3)}),
        key=jax.random.key(2),
    )
