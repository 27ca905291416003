"""Auxiliary-classifier GAN (Odena et al. 2017, arXiv 1610.09585).

D tells real from fake and names the class of both; G is rewarded for both. The label enters G by multiplication,
z * e(y), as the common tutorial has it; D sees no label. Adam at 2e-4 with beta1 0.5.

    python -m gan_jax.main --config configs/acgan.py
"""

from ml_collections import ConfigDict

from configs import dcgan


def get_config() -> ConfigDict:
    """The differences from the paper's DCGAN."""
    config = dcgan.get_config()
    config.batch_size = 64
    config.objective = "bce_logits"
    config.prior.name = "normal"
    config.generator.conditioning = "multiply"
    config.discriminator.head = "auxiliary"
    config.d_loss.classification = 1.0
    config.d_loss.classification_fake = 1.0
    config.g_loss.classification_fake = 1.0
    return config
