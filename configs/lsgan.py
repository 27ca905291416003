"""Least-squares GAN (Mao et al. 2017, arXiv 1611.04076) on DCGAN's layers.

D's raw output, no sigmoid, is pulled to 1 on real and 0 on generated images, and G pulls it to 1 (a = 0, b = c = 1, the
paper's eq. 9). `:chi_square` codes them -1, 1 and 0 (eq. 8), with which the loss is a Pearson chi-square divergence.

    python -m gan_jax.main --config configs/lsgan.py
"""

from ml_collections import ConfigDict

from configs import dcgan


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (0 and 1) or chi_square."""
    config = dcgan.get_config()
    config.batch_size = 64
    config.objective = "lsgan"
    config.prior.name = "normal"
    VARIANTS[variant](config)
    return config


def _zero_one(config: ConfigDict) -> None:
    del config


def _chi_square(config: ConfigDict) -> None:
    config.targets.fake = -1.0
    config.targets.generator = 0.0


VARIANTS = {"": _zero_one, "chi_square": _chi_square}
