"""BigGAN (Brock et al. 2018, arXiv 1809.11096): the residual networks of SNGAN, wider, and more of the label in them.

The hinge loss, spectral norm in both networks, orthogonal initial kernels, a projection head, an EMA of G with a decay
of 0.9999, and batch norms in G that depend on a label embedding, which all of them share, and on a chunk of z, another
one for each block (section 3 and appendix B of the paper).

`configs/biggan.py` is small enough for a CPU and for images whose sides are multiples of 4. `configs/biggan.py:paper`
has the sizes that the authors' PyTorch code has for CIFAR-10 (256 channels in every block, batches of 50, four updates
of D to one of G, Adam at 2e-4 with b2 0.999, 500 epochs, no self-attention). That code's script for CIFAR-10 leaves the
shared embedding, the chunks of z and the orthogonal initial kernels out; they are here as in the paper. Its EMA starts
after 1000 steps; here it starts at once, with a smaller decay in the first steps.

    python -m gan_jax.main --config configs/biggan.py
    python -m gan_jax.main --config configs/biggan.py:paper --config.data.name=cifar10

`:paper` with these settings has the paper's networks for images of 128 pixels, with 96 channels (table 4). The paper
trains them in batches of 2048, with two updates of D to one of G, G at 5e-5 and D at 2e-4.

    --config.data.image_size=128 --config.generator.widths=1536,768,384,192,96 --config.generator.attention_sides=64
    --config.discriminator.widths=96,192,384,768,1536,1536 --config.discriminator.num_halvings=5
    --config.discriminator.attention_sides=64 --config.g_loss.orthogonal=1e-4
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (small) or paper."""
    config = default.get_config()
    config.objective = "hinge"
    config.prior.features = 120
    for network in (config.generator, config.discriminator):
        network.family = "resnet"
        network.activation = "relu"
        network.kernel_init = "orthogonal"
        network.kernel_norm = "spectral"
    config.generator.norm = "shared_conditional_batch"
    config.generator.norm_z = "chunks"
    config.discriminator.head = "projection"
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b1 = 0.0
        optimizer.b2 = 0.999
    VARIANTS[variant](config)
    return config


def _small(config: ConfigDict) -> None:
    config.num_steps = 4_000
    config.batch_size = 64
    config.generator.widths = (64, 32)
    config.generator.norm_embedding = 32
    config.generator.ema_decay = 0.999
    config.discriminator.widths = (32, 64, 64)


def _paper(config: ConfigDict) -> None:
    config.num_epochs = 500
    config.batch_size = 50
    config.d_steps = 4
    config.data.image_size = 32
    config.generator.widths = (256, 256, 256)
    config.generator.norm_embedding = 128
    config.generator.ema_decay = 0.9999
    config.discriminator.widths = (256, 256, 256, 256)


VARIANTS = {"": _small, "paper": _paper}
