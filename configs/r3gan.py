"""R3GAN: a relativistic pairing loss with R1 and R2, and residual networks without norms (arXiv 2501.05441).

`configs/r3gan.py` is small enough for a CPU and for images of 28 to 64 pixels whose sides are multiples of 4.
`configs/r3gan.py:paper` is the published preset for CIFAR-10 (class-conditional, batches of 512, 20 million images; the
authors report a Frechet Inception distance of 1.96), with three differences: differentiable augmentation of 2020 in
place of the larger set of changes of ADA; a projection head, which has the same functions as the published one (it
multiplies the label's vector with features, without a matrix between them); tanh after the last layer, which has none
in the published code.

Five settings follow half a cosine during the run: the learning rate, Adam's b2, the weight of both penalties, the
half-life of G's EMA, and the probability of augmentation.

    python -m gan_jax.main --config configs/r3gan.py
    python -m gan_jax.main --config configs/r3gan.py:paper --config.data.name=cifar10
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (small) or paper."""
    config = default.get_config()
    config.objective = "relativistic_pairing"
    config.prior.features = 64
    config.generator.conditioning = "concat"
    config.generator.embedding_features = 64
    config.discriminator.head = "projection"
    for network in (config.generator, config.discriminator):
        network.family = "r3gan"
        network.kernel_init = "lecun_normal"
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b1 = 0.0
        optimizer.b2 = "cosine:0.9:0.99"
        optimizer.schedule = "cosine"
        optimizer.final_fraction = 0.25
    config.augmentation.differentiable = "color,translation,cutout"
    VARIANTS[variant](config)
    return config


def _small(config: ConfigDict) -> None:
    config.num_steps = 4_000
    config.batch_size = 64
    config.generator.widths = (64, 32, 16)
    config.discriminator.widths = (16, 32, 64)
    config.d_loss.r1_r2 = "cosine:0.5:0.05"
    config.generator.ema_half_life = "cosine:0:500"
    config.augmentation.probability = "cosine:0:0.3"


def _paper(config: ConfigDict) -> None:
    config.num_steps = 39_063
    config.batch_size = 512
    config.dtype = "bfloat16"
    config.data.image_size = 32
    for network in (config.generator, config.discriminator):
        network.widths = (768, 768, 768, 768)
        network.layers_per_width = 2
    config.d_loss.r1_r2 = "cosine:0.05:0.005"
    config.generator.ema_half_life = "cosine:0:9766"  # 5 million images
    config.augmentation.probability = "cosine:0:0.55"


VARIANTS = {"": _small, "paper": _paper}
