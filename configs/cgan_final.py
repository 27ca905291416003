"""The tutorial's last recipe for its conditional GAN: batch norm in G, PReLU, AdamW.

The layers of configs/cgan.py, with the changes that the tutorial kept after its ablations: batch norm in every hidden
layer of G, PReLU (one slope per channel, starting at 0.25) in both networks, and AdamW with decay 1e-2 (PyTorch's
default).

    python -m gan_jax.main --config configs/cgan_final.py
"""

from ml_collections import ConfigDict

from configs import cgan


def get_config() -> ConfigDict:
    """The differences from the tutorial's CGAN."""
    config = cgan.get_config()
    config.generator.norm = "batch"
    for network in (config.generator, config.discriminator):
        network.activation = "prelu"
        network.slope = 0.25
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.name = "adamw"
        optimizer.weight_decay = 1e-2
    return config
