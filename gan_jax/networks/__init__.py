"""Generators and discriminators, by family."""

from gan_jax.networks import dcgan, mlp

# family -> (Generator, Discriminator)
NETWORKS = {"dcgan": (dcgan.Generator, dcgan.Discriminator), "mlp": (mlp.Generator, mlp.Discriminator)}
