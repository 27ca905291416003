"""Improved techniques on CIFAR-10 (Salimans et al. 2016, arXiv 1606.03498, sections 3, 6.2 and 6.3).

D has nine weight-normalized layers with dropout: three of each width, of which the third halves the image. G is
DCGAN's.

- without a variant: the recipe for good samples. Virtual batch norm in G, minibatch discrimination, real targets of
  0.9. The paper's Inception Score with minibatch discrimination and all techniques is 8.09 with labels, 6.86 without
  labels (table 3).
- `:semi_supervised`: the recipe for a good classifier. 4,000 labels, a K + 1-class head, feature matching in G. The
  paper's test error is 18.63 +- 2.32 % over 10 label subsets (table 2), after 1,200 epochs. The paper's D has dropout
  on its inputs and pools its last layer; this D has noise on its inputs and flattens.

    python -m gan_jax.main --config configs/improved_cifar10.py
    python -m experiments.semi_supervised --recipes cifar10 --labels 4000 --seeds 10
"""

from ml_collections import ConfigDict

from configs import default
from configs.improved_mnist import learn_by_feature_matching


def get_config(variant: str = "") -> ConfigDict:
    """The differences from the defaults. variant: "" (samples) or semi_supervised."""
    config = default.get_config()
    config.num_epochs = 200
    config.batch_size = 100
    config.data.name = "cifar10"
    config.data.fallback = ""
    config.data.image_size = 32
    config.prior.name = "uniform"
    config.objective = "bce_logits"
    for network in (config.generator, config.discriminator):
        network.family = "dcgan"
        network.kernel_init = "normal"
        network.kernel_init_stddev = 0.05
    config.generator.widths = (512, 256, 128)
    config.generator.activation = "relu"
    config.generator.kernel_size = 5
    config.discriminator.widths = (96, 192, 192)
    config.discriminator.layers_per_width = 3
    config.discriminator.kernel_norm = "weight"
    config.discriminator.input_noise = 0.05
    config.discriminator.dropout = 0.2
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 3e-4
        optimizer.b1 = 0.5
    VARIANTS[variant](config)
    return config


def _samples(config: ConfigDict) -> None:
    config.targets.real = 0.9
    config.generator.norm = "virtual_batch"
    config.generator.ema_decay = 0.999
    config.discriminator.minibatch = "discrimination"


def _semi_supervised(config: ConfigDict) -> None:
    config.num_epochs = 1200
    config.data.num_labels = 4000
    learn_by_feature_matching(config, full_rate=0.5)
    config.sample_every_steps = 5000
    config.checkpoint_every_steps = 5000
    config.eval.every_steps = 5000


VARIANTS = {"": _samples, "semi_supervised": _semi_supervised}
