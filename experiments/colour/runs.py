"""The runs on colour images: data, config and overrides. One seed each; nothing was tuned on their test scores."""

from typing import NamedTuple


class Data(NamedTuple):
    """A data set of image files. title: its name in the page; changes: overrides that all its runs share."""

    title: str
    changes: dict[str, str]


class ColourRun(NamedTuple):
    """A run. title: its name in the page; data: a key of DATA; changes: overrides of the config.

    trains_generator: whether its samples and their scores mean anything.
    """

    title: str
    data: str
    config: str
    changes: dict[str, str]
    trains_generator: bool = True


# Some emoji have characters on them, which would be other characters if they were mirrored.
DATA = {"cifar10": Data("CIFAR-10 (JPEG)", {}), "emoji": Data("emoji", {"eval.classifier_flips": "never"})}

# As few held-out images as in the other runs, so that the scoring classifier is the same. No validation scores: the
# test errors are computed from the checkpoints.
_FEW_LABELS = {
    "num_epochs": "0",
    "data.num_validation": "500",
    "generator.widths": "64,32,16",
    "discriminator.widths": "16,32,32",
    "eval.every_steps": "0",
    "keep_checkpoints": "20",
}
# Half of the channels of configs/cdcgan_colour.py.
_NARROW = {"num_epochs": "0", "generator.widths": "128,64,32", "discriminator.widths": "32,64,128"}

RUNS = {
    "cdcgan_colour": ColourRun(
        "conditional GAN for photographs", "cifar10", "configs/cdcgan_colour.py", {"num_steps": "4000"}
    ),
    "few_labels": ColourRun(
        "feature matching with 4,000 labels",
        "cifar10",
        "configs/improved_cifar10.py:semi_supervised",
        _FEW_LABELS | {"num_steps": "1000", "checkpoint_every_steps": "100"},
    ),
    # Without the adversarial loss D learns from labelled images only. Then G's loss is of no use either.
    "labels_only": ColourRun(
        "the same D with 4,000 labels alone",
        "cifar10",
        "configs/improved_cifar10.py:semi_supervised",
        _FEW_LABELS
        | {
            "num_steps": "1500",
            "checkpoint_every_steps": "150",
            "d_loss.adversarial": "0",
            "g_loss.feature_matching": "0",
        },
        trains_generator=False,
    ),
    "sngan-resnet": ColourRun(
        "SNGAN, residual",
        "cifar10",
        "configs/sngan.py:resnet",
        {
            "num_steps": "300",
            "d_steps": "2",
            "eval.every_steps": "100",
            "generator.widths": "32,32,32",
            "discriminator.widths": "32,32,32,32",
        },
    ),
    "dcgan": ColourRun(
        "DCGAN",
        "cifar10",
        "configs/dcgan.py",
        _NARROW | {"num_steps": "1000", "eval.every_steps": "250", "batch_size": "64", "data.image_size": "32"},
    ),
    "acgan": ColourRun(
        "AC-GAN",
        "cifar10",
        "configs/acgan.py",
        _NARROW | {"num_steps": "1000", "eval.every_steps": "250", "data.image_size": "32"},
    ),
    "emoji": ColourRun(
        "conditional GAN for photographs",
        "emoji",
        "configs/cdcgan_colour.py",
        {
            "num_steps": "1500",
            "eval.every_steps": "500",
            "data.image_size": "64",
            "generator.widths": "128,64,32,16",
            "discriminator.widths": "16,32,64,128",
            "augmentation.real": "",
            "augmentation.differentiable": "color,translation,cutout",
        },
    ),
}
