"""Generators and discriminators, by family."""

from gan_jax.networks import dcgan, mlp, resnet

# family -> (Generator, Discriminator)
NETWORKS = {
    "dcgan": (dcgan.Generator, dcgan.Discriminator),
    "mlp": (mlp.Generator, mlp.Discriminator),
    "resnet": (resnet.Generator, resnet.Discriminator),
}
