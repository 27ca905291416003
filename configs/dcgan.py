"""DCGAN (Radford et al. 2015, arXiv 1511.06434): convolutional and unconditional.

`configs/dcgan.py` is the paper's recipe: strided and transposed convolutions and no pooling; batch norm everywhere
except at G's output and D's input; ReLU in G, LeakyReLU 0.2 in D; tanh images; weights from N(0, 0.02); Adam at 2e-4
with beta1 0.5; batches of 128; z uniform on [-1, 1]^100. The default widths are for 28 x 28 digits. The paper's
networks for 64 x 64 images:

    python -m gan_jax.main --config configs/dcgan.py --config.data.image_size=64 \\
        --config.generator.widths=1024,512,256,128 --config.discriminator.widths=128,256,512,1024

`configs/dcgan.py:upsample` is the common tutorial's variant. G has nearest-neighbour upsampling and 3x3 convolutions. D
has four stride-2 blocks of 16-32-64-128 channels, each convolution -> LeakyReLU -> channel dropout 0.25 -> batch norm.
The tutorial passes 0.8 to batch norm, and PyTorch reads it as epsilon. The decay of the running moments was meant, so
here 0.8 is that decay, and epsilon is 1e-5.
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (the paper's networks) or upsample."""
    config = default.get_config()
    config.num_epochs = 10
    config.prior.name = "uniform"
    for network in (config.generator, config.discriminator):
        network.family = "dcgan"
        network.kernel_init = "normal"
        network.norm = "batch"
        network.norm_scale_stddev = 0.02
    config.generator.widths = (128, 64)
    config.generator.activation = "relu"
    config.discriminator.widths = (64, 128)
    config.discriminator.norm_layers = "inner"
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 2e-4
        optimizer.b1 = 0.5
    VARIANTS[variant](config)
    return config


def _paper(config: ConfigDict) -> None:
    del config


def _upsample(config: ConfigDict) -> None:
    config.prior.name = "normal"
    for network in (config.generator, config.discriminator):
        network.kernel_size = 3
        network.norm_momentum = 0.8
    config.generator.upsampling = "nearest"
    config.generator.widths = (128, 128, 64)
    config.generator.activation = "leaky_relu"
    config.discriminator.widths = (16, 32, 64, 128)
    config.discriminator.dropout = 0.25
    config.discriminator.channel_dropout = True
    config.discriminator.norm_order = "activation_norm"


VARIANTS = {"": _paper, "upsample": _upsample}
