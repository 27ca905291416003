"""Auxiliary-classifier GAN (Odena et al. 2017, arXiv 1610.09585): configs/cdcgan.py with another way to condition D.

D gets no label. It has two outputs: real or fake, and the class of the image (of real and of generated images). G's
loss uses both outputs. The rest of the recipe is that of configs/cdcgan.py, so the two configs differ in the
conditioning of D alone.

    python -m gan_jax.main --config configs/acgan.py
    python -m gan_jax.main --config configs/acgan.py --config.generator.conditioning=multiply  # the tutorial's z * e(y)
"""

from ml_collections import ConfigDict

from configs import cdcgan


def get_config() -> ConfigDict:
    """The differences from the conditional DCGAN."""
    config = cdcgan.get_config()
    config.discriminator.head = "auxiliary"
    config.d_loss.classification = 1.0
    config.d_loss.classification_fake = 1.0
    config.g_loss.classification_fake = 1.0
    return config
