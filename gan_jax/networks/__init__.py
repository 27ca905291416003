"""Generators and discriminators, by family."""

from gan_jax.networks import dcgan, mlp, r3gan, resnet, stylegan2

# family -> (Generator, Discriminator)
NETWORKS = {
    "dcgan": (dcgan.Generator, dcgan.Discriminator),
    "mlp": (mlp.Generator, mlp.Discriminator),
    "r3gan": (r3gan.Generator, r3gan.Discriminator),
    "resnet": (resnet.Generator, resnet.Discriminator),
    "stylegan2": (stylegan2.Generator, stylegan2.Discriminator),
}
