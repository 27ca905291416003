"""Semi-supervised MNIST by feature matching (Salimans et al. 2016, arXiv 1606.03498, section 6.1 and table 1).

D is a classifier of 10 classes with five hidden layers, weight norm and noise. The logsumexp of its class logits is
the logit of real against generated. D learns from 100 labels, balanced over the classes. G matches the mean features
of D's last hidden layer. The EMA of D is tested. Three details of the published code matter most:

- the scales of D's hidden layers keep the values of their data-dependent initialisation;
- G's batch norm has no gain;
- Adam's epsilon is inside the square root (eps_root = 1e-8), so parameters with gradients far below its root, 1e-4,
  take small steps. With epsilon outside the root, as usual in Adam, D wins after some 8,000 steps at the full rate:
  D's features explode, and all of G's images become the same.

    python -m gan_jax.main --config configs/improved_mnist.py
    python -m experiments.semi_supervised --labels 20,50,100,200 --seeds 10

With 20 labels, D does not find the classes by itself. It finds them if the labels are also propagated to similar images
(experiments/results/semi_supervised/README.md). The recipes for this are in configs/semi_supervised:

    python -m gan_jax.main --config configs/semi_supervised/short_propagated.py --config.data.num_labels=20

The paper has 93 +- 6.5 errors on 10,000 test images with 100 labels, over 10 label subsets, after 300 epochs. The
paper's code for MNIST keeps the learning rate constant; here the rate falls over the last third, as in the paper's code
for CIFAR-10. The variants are shorter:

- `:long`: 200 epochs, the rate falls over the last fifth;
- `:medium`: 120 epochs, the rate falls over the last third;
- `:short` and `:quick`: 100 and 20 epochs, the rate falls over the second half;
- `:light`: for many networks on a small machine. 60 epochs, half of D's width, and a second moment in G that lasts 100
  updates; the rate falls over the last fifth.
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "") -> ConfigDict:
    """variant: "" (the paper's length), long, medium, short, quick or light."""
    config = default.get_config()
    settings = VARIANTS[variant]
    config.num_epochs = settings["epochs"]
    learn_by_feature_matching(config, settings["full_rate"])
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
    config.discriminator.widths = settings.get("widths", (1000, 500, 250, 250, 250))
    config.discriminator.kernel_init = "normal"
    config.discriminator.kernel_init_stddev = 0.1
    config.discriminator.activation = "relu"
    config.discriminator.pixels = "unit"
    config.discriminator.input_noise = 0.3
    config.discriminator.noise = 0.5
    # The loss sums over features; this weight makes the sum a mean, as published.
    config.g_loss.feature_matching = 1 / config.discriminator.widths[-1]
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 3e-3
        optimizer.b1 = 0.5
    config.g_optimizer.b2 = settings.get("g_b2")
    config.log_every_steps = 50
    config.sample_every_steps = 6000
    config.checkpoint_every_steps = 1200
    config.eval.every_steps = 1200
    return config


def learn_by_feature_matching(config: ConfigDict, full_rate: float) -> None:
    """Settings that the classifiers of all the paper's data sets share.

    full_rate: share of the run before the learning rates begin to fall.
    """
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


# full_rate: the share of the epochs before the learning rates begin to fall.
VARIANTS = {
    "": {"epochs": 300, "full_rate": 2 / 3},
    "long": {"epochs": 200, "full_rate": 0.8},
    "medium": {"epochs": 120, "full_rate": 2 / 3},
    "short": {"epochs": 100, "full_rate": 0.5},
    "quick": {"epochs": 20, "full_rate": 0.5},
    "light": {"epochs": 60, "full_rate": 0.8, "widths": (500, 250, 125, 125, 125), "g_b2": 0.99},
}
