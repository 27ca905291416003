"""StyleGAN2: a generator of modulated convolutions with a mapping network, a residual discriminator, lazy R1.

`configs/stylegan2.py` is small enough for a CPU and for images of 28 to 64 pixels whose sides are multiples of 4; more
widths are for larger images (`--config.generator.widths=64,64,32,16`, and these reversed for D).
`configs/stylegan2.py:paper` has the published settings for CIFAR-10 with adaptive augmentation (arXiv 2006.06676,
class-conditional, batches of 64, 100 million images), with five differences: blocks of D are residual; D has a
projection head and a learned vector per class in place of a mapping network for labels; no minibatch standard
deviation, because the penalty is of one image's logit; the changes of images are those of this project with the same
names; the penalty is a part of the loss and no update of its own, so the optimizer's settings are not corrected for it.

    python -m gan_jax.main --config configs/stylegan2.py
    python -m gan_jax.main --config configs/stylegan2.py:paper --config.data.name=cifar10
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (small) or paper."""
    config = default.get_config()
    config.objective = "bce_logits"
    config.generator.conditioning = "concat"
    config.generator.output = "linear"
    config.discriminator.head = "projection"
    for network in (config.generator, config.discriminator):
        network.family = "stylegan2"
        network.kernel_norm = "equalised"
        network.kernel_init = "normal"
        network.kernel_init_stddev = 1.0
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 2.5e-3
        optimizer.b1 = 0.0
        optimizer.b2 = 0.99
    config.penalty_every = 16
    config.batch_size = 64
    VARIANTS[variant](config)
    return config


def _small(config: ConfigDict) -> None:
    config.num_steps = 4_000
    config.log_every_steps = 5  # no common divisor with penalty_every, or no row would be of a step with the penalty
    config.prior.features = 64
    config.generator.embedding_features = 64
    config.generator.widths = (64, 32, 16)
    config.discriminator.widths = (16, 32, 64)
    config.d_loss.r1 = 0.1
    config.generator.ema_half_life = "linear:0:200:0.5"


def _paper(config: ConfigDict) -> None:
    config.num_steps = 1_562_500
    config.log_every_steps = 51  # see above
    config.data.image_size = 32
    config.prior.features = 512
    config.generator.embedding_features = 512
    for network in (config.generator, config.discriminator):
        network.widths = (512, 512, 512, 512)
    config.d_loss.r1 = 0.01
    config.generator.ema_half_life = "linear:0:7812:0.1"  # 500,000 images; before, a twentieth of those seen
    config.augmentation.differentiable = "flip,quarter_turn,rotation,scaling,translation,color,hue"
    config.augmentation.probability = "adaptive:0.6"


VARIANTS = {"": _small, "paper": _paper}
