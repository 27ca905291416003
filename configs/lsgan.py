"""Least-squares GAN (Mao et al. 2017, arXiv 1611.04076) on DCGAN's layers.

D has no sigmoid. Its targets are b = 1 for real and a = 0 for generated images, and G's target is c = 1 (the paper's
eq. 9). `:chi_square` has b = 1, a = -1 and c = 0 (eq. 8); the loss is then a Pearson chi-square divergence.

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
