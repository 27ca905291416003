"""Semi-supervised MNIST by feature matching (Salimans et al. 2016, arXiv 1606.03498, section 6.1 and table 1).

D is a classifier of 10 classes, five hidden layers with weight norm and noise, whose logsumexp says real or generated;
100 labels are known to it, balanced over the classes. G matches the mean features of D's last hidden layer. D is
averaged for the test. Three details of the published code matter most:

- the scales of D's hidden layers stay what their data-dependent start makes of them;
- G's batch norm has no gain;
- Adam's epsilon stands inside of the root, so that parameters whose gradients are far below its root, 1e-4, take small
  steps. With epsilon outside, where Adam has it elsewhere, D wins after some 8,000 steps at the full rate: its features
  explode, and G's images become one.

    python -m gan_jax.main --config configs/improved_mnist.py
    python -m experiments.semi_supervised --labels 20,50,100,200 --seeds 10

With 20 labels D finds no classes by itself; labels that are propagated to near images show it where to begin
(experiments/results/semi_supervised/README.md). Such recipes are in configs/semi_supervised:

    python -m gan_jax.main --config configs/semi_supervised/short_propagated.py --config.data.num_labels=20

The paper: 93 +- 6.5 errors of 10,000 test images with 100 labels, over 10 draws of them, after 300 epochs. Its code
keeps the learning rate throughout; here, as in its code for CIFAR-10, it falls over the last third.
`configs/improved_mnist.py:long` has 200 epochs, the rate falling over the last fifth, `:medium` 120, the last third.
`:short` has 100 and `:quick` 20, the rate falling over their second half. `:light` is for many networks on little: half
of D's width, 60 epochs, and a second moment in G that lasts 100 updates.
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (the paper's length), long, medium, short, quick or light."""
    config = default.get_config()
    chosen = VARIANTS[variant]
    config.num_epochs = chosen["epochs"]
    learn_by_feature_matching(config, chosen["full_rate"])
    config.batch_size = 100
    config.steps_per_call = 50
    config.data.fallback = ""
    config.data.num_labels = 100
    config.prior.name = "uniform"
    config.objective = "bce_logits"
    config.generator.widths = (500, 500)
    config.generator.kernel_init = "glorot_uniform"
    config.generator.activation = "softplus"
    config.generator.output = "sigmoid"
    config.discriminator.widths = chosen.get("widths", (1000, 500, 250, 250, 250))
    config.discriminator.kernel_init = "normal"
    config.discriminator.kernel_init_stddev = 0.1
    config.discriminator.activation = "relu"
    config.discriminator.pixels = "unit"
    config.discriminator.input_noise = 0.3
    config.discriminator.noise = 0.5
    # Of the sum over features: their mean, as published.
    config.g_loss.feature_matching = 1 / config.discriminator.widths[-1]
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 3e-3
        optimizer.b1 = 0.5
    config.g_optimizer.b2 = chosen.get("g_b2")
    config.log_every_steps = 50
    config.sample_every_steps = 6000
    config.checkpoint_every_steps = 1200
    config.eval.every_steps = 1200
    return config


def learn_by_feature_matching(config: ConfigDict, full_rate: float) -> None:
    """What the classifiers of all the paper's data sets share. full_rate: share of the run before the rates fall."""
    config.init_batch_size = 500
    config.data.num_validation = 1000
    config.generator.norm = "batch"
    config.generator.norm_gain = False
    config.generator.output_kernel_norm = "weight_unit"
    config.discriminator.kernel_norm = "weight_fixed"
    config.discriminator.output_kernel_norm = "weight"
    config.discriminator.head = "class"
    config.discriminator.ema_decay = 0.9999
    config.d_loss.adversarial = 0.5
    config.d_loss.classification = 1.0
    config.g_loss.adversarial = 0.0
    config.g_loss.feature_matching = 1.0
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.eps_root = 1e-8
        optimizer.schedule = "linear"
        optimizer.schedule_start = full_rate


# What a variant has instead of the paper's. full_rate: the share of the epochs before the learning rates begin to fall.
VARIANTS = {
    "": {"epochs": 300, "full_rate": 2 / 3},
    "long": {"epochs": 200, "full_rate": 0.8},
    "medium": {"epochs": 120, "full_rate": 2 / 3},
    "short": {"epochs": 100, "full_rate": 0.5},
    "quick": {"epochs": 20, "full_rate": 0.5},
    "light": {"epochs": 60, "full_rate": 0.8, "widths": (500, 250, 125, 125, 125), "g_b2": 0.99},
}
