"""Improved techniques on CIFAR-10 (Salimans et al. 2016, arXiv 1606.03498, sections 3 and 6.2): the samples' recipe.

G is DCGAN's with virtual batch norm; D has nine weight-normalized layers (three of each width, the last of them
halving) with dropout and minibatch discrimination; D's real targets are 0.9. The paper's Inception Score with
minibatch discrimination and all techniques is 8.09 with labels, 6.86 without them (its table 3).

    python -m gan_jax.main --config configs/improved_cifar10.py
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """The differences from the defaults."""
    config = default.get_config()
    config.num_epochs = 200
    config.batch_size = 100
    config.data.name = "cifar10"
    config.data.fallback = ""
    config.data.image_size = 32
    config.prior.name = "uniform"
    config.objective = "bce_logits"
    config.targets.real = 0.9
    for network in (config.generator, config.discriminator):
        network.family = "dcgan"
        network.kernel_init = "normal"
        network.kernel_init_stddev = 0.05
    config.generator.widths = (512, 256, 128)
    config.generator.activation = "relu"
    config.generator.kernel_size = 5
    config.generator.norm = "virtual_batch"
    config.generator.average_decay = 0.999
    config.discriminator.widths = (96, 192, 192)
    config.discriminator.layers_per_width = 3
    config.discriminator.weight = "weight"
    config.discriminator.input_noise = 0.05
    config.discriminator.dropout = 0.2
    config.discriminator.minibatch = "discrimination"
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 3e-4
        optimizer.b1 = 0.5
    return config
