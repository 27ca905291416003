"""Conditional GAN (arXiv 1411.1784) of fully connected layers on 28 x 28 digits.

`configs/cgan.py` is the unchanged network of the common tutorial. G maps z of 100 and a label embedding of 10 through
256-512-1024 LeakyReLU units to a tanh image. D has the same widths in reverse order, with dropout 0.3. The loss is
cross-entropy on probabilities, the optimizer Adam at 1e-4, with five updates of D to one of G. It is a baseline, known
to be weak. (PyTorch's Linear also draws its biases from the kernels' uniform distribution; here biases start at zero.)

`configs/cgan.py:tuned` keeps those layers and widths and changes the recipe: logits in the loss, batch norm and ReLU in
G, a projection discriminator (arXiv 1802.05637), one update of D to one of G, Adam at 5e-4 with beta1 0.5, batches of
64, and samples from an exponential moving average (EMA) of G. The recipe was found with one short run for each choice,
which is not on record. experiments/results/systems.md has a run of both.

    python -m gan_jax.main --config configs/cgan.py:tuned
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (the tutorial's network) or tuned."""
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
    config.batch_size = 64
    config.d_steps = 1
    config.objective = "bce_logits"
    config.generator.norm = "batch"
    config.generator.activation = "relu"
    config.generator.ema_decay = 0.999
    config.discriminator.conditioning = "none"
    config.discriminator.head = "projection"
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 5e-4
        optimizer.b1 = 0.5


VARIANTS = {"": _tutorial, "tuned": _tuned}
