"""Spectral-norm GAN (Miyato et al. 2018, arXiv 1802.05957).

`configs/sngan.py` has networks of DCGAN's size: spectral norm and no batch norm in D, batch norm in G, hinge loss, Adam
at 2e-4 with beta1 0.5, batches of 64, z of 128. `configs/sngan.py:resnet` is the paper's residual network for 32 x 32
images (table 4), with the paper's Adam (beta1 0, beta2 0.9, a rate that falls linearly to 0) and five updates of D to
one of G. The paper reports a Frechet Inception distance of 21.7 on CIFAR-10 after 50k updates of G.

    python -m gan_jax.main --config configs/sngan.py
    python -m gan_jax.main --config configs/sngan.py:resnet --config.data.name=cifar10
"""

from ml_collections import ConfigDict

from configs import dcgan


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (DCGAN's size) or resnet."""
    config = dcgan.get_config()
    config.batch_size = 64
    config.objective = "hinge"
    config.prior.name = "normal"
    config.prior.features = 128
    config.discriminator.norm = "none"
    config.discriminator.kernel_norm = "spectral"
    VARIANTS[variant](config)
    return config


def _dcgan_sized(config: ConfigDict) -> None:
    del config


def _resnet(config: ConfigDict) -> None:
    config.num_epochs = 0
    config.num_steps = 50_000
    config.d_steps = 5
    config.data.image_size = 32
    for network in (config.generator, config.discriminator):
        network.family = "resnet"
        network.kernel_init = "glorot_uniform"
        network.activation = "relu"
        network.norm_scale_stddev = 0.0
    config.generator.widths = (256, 256, 256)
    config.discriminator.widths = (128, 128, 128, 128)
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.b1 = 0.0
        optimizer.b2 = 0.9
        optimizer.schedule = "linear"


VARIANTS = {"": _dcgan_sized, "resnet": _resnet}
