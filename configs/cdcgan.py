"""Conditional DCGAN on digits."""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """See the module's docstring."""
    config = default.get_config()
    config.num_epochs = 10
    config.objective = "bce_logits"
    for network in (config.generator, config.discriminator):
        network.family = "dcgan"
        network.kernel_init = "normal"
        network.norm_scale_stddev = 0.02
    config.generator.widths = (128, 64)
    config.generator.norm = "batch"
    config.generator.activation = "relu"
    config.generator.conditioning = "concat"
    config.generator.average_decay = 0.999
    config.discriminator.widths = (64, 128)
    config.discriminator.head = "projection"
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b1 = 0.5
    return config
