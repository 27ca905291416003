"""The works that are timed: configs, with changes so that a step is one D and one G update on a fixed batch."""

from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.dataset import to_float
from gan_jax.gan.types import Batch
from gan_jax.system import config as configs
from gan_jax.system.config import choose

STEPS = 10  # of one turn, and of one compiled call of gan_jax
NUM_CLASSES = 10

# The same in both frameworks: constant rates, no EMA, and PyTorch's form of Adam.
_SAME = {
    "batch_size": 128,
    "d_steps": 1,
    "steps_per_call": STEPS,
    "generator.ema_decay": 0.0,
    "discriminator.ema_decay": 0.0,
    "d_optimizer.schedule": "constant",
    "g_optimizer.schedule": "constant",
    "d_optimizer.eps_root": None,
    "g_optimizer.eps_root": None,
}
_PLAIN_GAN = {
    "objective": "bce_logits",
    **{f"{p}_optimizer.{k}": v for p in "dg" for k, v in (("learning_rate", 2e-4), ("b1", 0.5))},
}
# For comparisons in float32: no random numbers inside the networks, and small rates. Adam's first update has the same
# size for every gradient, even if rounding alone decides the gradient's sign. With large rates, the comparison would
# show this effect only.
_QUIET = {
    **{f"{network}.{knob}": 0.0 for network in ("generator", "discriminator") for knob in ("dropout", "noise")},
    "discriminator.input_noise": 0.0,
    **{f"{p}_optimizer.learning_rate": 1e-4 for p in "dg"},
}


class Work(NamedTuple):
    """title: for the page; changes: overrides of the config `spec`; image_shape: [H, W, C] of the real images."""

    title: str
    spec: str
    changes: dict[str, Any]
    image_shape: tuple[int, int, int]


# Those of the page.
WORKS = {
    "cgan": Work(
        "conditional MLP: z 100 and a label through 256-512-1024 to 28x28x1, and its mirror with dropout 0.3",
        "configs/cgan.py",
        _PLAIN_GAN,
        (28, 28, 1),
    ),
    "cdcgan": Work(
        "conditional DCGAN, 28x28x1: 4x4 stride-2 convolutions of 64 and 128 channels, batch norm in G, projection",
        "configs/cdcgan.py",
        {**_PLAIN_GAN, "discriminator.norm": "none"},
        (28, 28, 1),
    ),
    "dcgan_upsample": Work(
        "DCGAN with upsampling, 32x32x3: 3x3 convolutions, G 128-128-64, D 16-32-64-128 with dropout and batch norm",
        "configs/dcgan.py:upsample",
        _PLAIN_GAN,
        (32, 32, 3),
    ),
    # With the paper's widths, 256 and 128, a step has 2,209 GFLOP, 35 times as much: a quarter of a minute on two cores
    # at their peak.
    "sngan_resnet": Work(
        "SNGAN residual networks, 32x32x3: G 3 blocks of 32 channels (paper: 256), D 4 of 32 (paper: 128), spectral "
        "norm, hinge loss",
        "configs/sngan.py:resnet",
        {"generator.widths": (32,) * 3, "discriminator.widths": (32,) * 4},
        (32, 32, 3),
    ),
    "semi_supervised": Work(
        "Improved-GAN's MLPs, 28x28x1, batch 100: D 1000-500-250-250-250-10 with weight norm and noise, G 500-500 "
        "with batch norm, a labelled batch, feature matching",
        "configs/improved_mnist.py",
        {"batch_size": 100},
        (28, 28, 1),
    ),
}
_PAPER_RESNET = WORKS["sngan_resnet"]._replace(
    title="SNGAN residual networks of the paper, 32x32x3: G 3 blocks of 256 channels, D 4 of 128", changes={}
)
# Those of a GPU alone: too slow for a CPU, or in a number format that it lacks.
_GPU_WORKS = {
    "sngan_resnet_paper": _PAPER_RESNET,
    "sngan_resnet_paper_bfloat16": _PAPER_RESNET._replace(changes={"dtype": "bfloat16"}),
}
_TINY = "tiny_"


def find(name: str) -> Work:
    """A work by its name, which may begin with "tiny_"."""
    return choose(WORKS | _GPU_WORKS, name.removeprefix(_TINY), "--only")


def tiny(name: str) -> str:
    """The name of the same work with networks and batches that are good for trying a program only."""
    return _TINY + name


def load(name: str, *, quiet: bool = False, batch_size: int = 0) -> ConfigDict:
    """The config of a work. quiet: without dropout and noise, at small rates; batch_size: 0 for the work's own."""
    work = find(name)
    config = configs.load(configs.own(work.spec))
    configs.override(config, {**_SAME, **work.changes, **(_QUIET if quiet else {})})
    if name.startswith(_TINY):
        narrow = {f"{player}.widths": (8,) * len(config[player].widths) for player in ("generator", "discriminator")}
        configs.override(config, {**narrow, "batch_size": 8})
    if batch_size:
        configs.override(config, {"batch_size": batch_size})
    return config


def real_images(name: str, config: ConfigDict) -> Batch:
    """Random uint8 images [B, H, W, C] and labels [B]; also a labelled batch if the config has few labels."""
    rng = np.random.default_rng(0)

    def random_batch() -> Batch:
        images = rng.integers(0, 256, (config.batch_size, *find(name).image_shape)).astype(np.uint8)
        return Batch(images, rng.integers(0, NUM_CLASSES, config.batch_size).astype(np.int32))

    return random_batch()._replace(labelled=random_batch() if config.data.num_labels else None)


def as_floats(real: Batch) -> Batch:
    """The batch with its images as float32 in [-1, 1]."""
    labelled = as_floats(real.labelled) if real.labelled else None
    return Batch(to_float(real.images), real.labels, labelled)
