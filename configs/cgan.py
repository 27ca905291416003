"""Conditional GAN (arXiv 1411.1784) of fully connected layers on 28 x 28 digits.

`configs/cgan.py` is the network of the common tutorial as it stands: z of 100 and a label embedding of 10 through
256-512-1024 LeakyReLU units to a tanh image; its mirror with dropout 0.3 as discriminator; cross-entropy on
probabilities, Adam at 1e-4, five discriminator updates to one of the generator. It is a baseline, known to be weak.
Without the dropout the discriminator wins within a few thousand steps and the generator learns nothing.
(PyTorch's Linear also draws its biases from the kernels' uniform distribution; here they start at zero.)

`configs/cgan.py:tuned` keeps those layers and widths and changes the recipe.

    python -m gan_jax.main --config configs/cgan.py:tuned
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (the tutorial's) or tuned."""
    config = default.get_config()
    config.num_epochs = 20
    config.d_steps = 5
    config.generator.conditioning = "concat"
    config.discriminator.conditioning = "concat"
    config.discriminator.dropout = 0.3
    VARIANTS[variant](config)
    return config


def _tutorial(config: ConfigDict) -> None:
    del config


def _tuned(config: ConfigDict) -> None:
    config.d_steps = 1
    config.objective = "bce_logits"
    config.generator.norm = "batch"
    config.generator.activation = "relu"
    config.generator.average_decay = 0.999
    config.d_optimizer.learning_rate = 2e-4
    config.g_optimizer.learning_rate = 2e-4
    config.d_optimizer.b1 = 0.5
    config.g_optimizer.b1 = 0.5


VARIANTS = {"": _tutorial, "tuned": _tuned}
