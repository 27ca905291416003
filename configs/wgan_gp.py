"""Wasserstein GAN with gradient penalty (Gulrajani et al. 2017, arXiv 1704.00028) on DCGAN's layers.

As in the paper's algorithm 1: the critic's loss, a penalty weight of 10, five critic updates to one of G, and Adam at
1e-4 with beta1 0 and beta2 0.9. D has layer norm, as the paper advises: with batch norm, the gradient at one image
would depend on the other images of the batch.

    python -m gan_jax.main --config configs/wgan_gp.py
    python -m gan_jax.main --config configs/wgan_gp.py --config.d_loss.gradient_penalty=0 \\
        --config.d_optimizer.clip_weights=0.01      # the first WGAN (arXiv 1701.07875): clipped weights, no penalty
"""

from ml_collections import ConfigDict

from configs import dcgan


def get_config() -> ConfigDict:
    """The differences from the paper's DCGAN."""
    config = dcgan.get_config()
    config.num_epochs = 20
    config.batch_size = 64
    config.d_steps = 5
    config.objective = "wasserstein"
    config.prior.name = "normal"
    config.discriminator.norm = "layer"
    config.d_loss.gradient_penalty = 10.0
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 1e-4
        optimizer.b1 = 0.0
        optimizer.b2 = 0.9
    return config
