"""Improved techniques at 128 x 128 (Salimans et al. 2016, arXiv 1606.03498, section 6.4): the recipe for ImageNet.

DCGAN's networks with five doublings, virtual batch norm in G, minibatch discrimination, historical averaging and
one-sided label smoothing. The paper trains on ImageNet, which needs an account to download. The default data set here
is STL-10 (96 x 96 images picked from ImageNet), resized to 128 x 128. If you have ImageNet's archives, run
`tfds build imagenet2012 --file_format=array_record`, then train with --config.data.name=imagenet2012, which streams
the images. `:small` has the same parts at 32 x 32 on digits and takes minutes.

    python -m gan_jax.main --config configs/improved_imagenet.py
    python -m gan_jax.main --config configs/improved_imagenet.py:small
"""

from ml_collections import ConfigDict

from configs import dcgan


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (128 x 128) or small."""
    config = dcgan.get_config()
    config.num_epochs = 50
    config.batch_size = 64
    config.init_batch_size = 64
    config.data.name = "stl10"
    config.data.fallback = ""
    config.data.image_size = 128
    config.objective = "bce_logits"
    config.targets.real = 0.9
    config.generator.widths = (1024, 512, 256, 128, 64)
    config.generator.norm = "virtual_batch"
    config.generator.ema_decay = 0.999
    config.discriminator.widths = (64, 128, 256, 512, 1024)
    config.discriminator.minibatch = "discrimination"
    config.d_loss.historical_averaging = 1e-3
    config.g_loss.historical_averaging = 1e-3
    VARIANTS[variant](config)
    return config


def _full(config: ConfigDict) -> None:
    del config


def _small(config: ConfigDict) -> None:
    config.num_epochs = 0
    config.num_steps = 1500
    config.data.name = "mnist"
    config.data.fallback = "mnist_5k"
    config.data.image_size = 32
    config.generator.widths = (128, 64, 32)
    config.discriminator.widths = (32, 64, 128)


VARIANTS = {"": _full, "small": _small}
