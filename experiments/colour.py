"""Short runs of several systems on colour images, and a page about them: python -m experiments.colour --cifar10 PATH

PATH is a folder or a .zip of CIFAR-10 as image files in train/ and test/ with class folders; --emoji PATH is one of
emoji of 64 x 64 pixels in class folders. Each run is in --workdir/<name>. Finished runs are skipped and unfinished runs
are continued, so the command can be interrupted and repeated. After each run it writes to --output: colour.json (the
record), and grids and curves in colour/. A run that is not in --workdir keeps its entry in the record. Then
`python -m experiments.pages` writes the page from its template.
"""

import pathlib
import sys

if not __package__:  # Started as a file: python experiments/colour.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from experiments.short_runs import command
from experiments.short_runs.plan import ImageSet, Page, ShortRun
from gan_jax import cli
from gan_jax.system.errors import UserError

# Some emoji have characters on them, which would be other characters if they were mirrored.
SETS = {"cifar10": ImageSet("CIFAR-10 (JPEG)"), "emoji": ImageSet("emoji", {"eval.classifier_flips": "never"})}

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
# The channels of configs/cdcgan_colour.py.
_NARROW = {"num_epochs": "0", "generator.widths": "128,64,32", "discriminator.widths": "32,64,128"}

_SPECTRAL = {
    "objective": "hinge",
    "discriminator.norm": "none",
    "discriminator.kernel_norm": "spectral",
    "d_optimizer.learning_rate": "2e-4",
    "g_optimizer.learning_rate": "2e-4",
}

RUNS = {
    "cdcgan_colour": ShortRun("conditional GAN for photographs", "cifar10", "configs/cdcgan_colour.py", {}),
    "cdcgan-spectral": ShortRun(
        "the same, spectral norm and hinge loss",
        "cifar10",
        "configs/cdcgan_colour.py",
        _SPECTRAL | {"num_steps": "8000", "generator.widths": "256,128,64", "discriminator.widths": "64,128,256"},
    ),
    "few_labels": ShortRun(
        "feature matching with 4,000 labels",
        "cifar10",
        "configs/improved_cifar10.py:semi_supervised",
        _FEW_LABELS | {"num_steps": "3000", "checkpoint_every_steps": "150"},
    ),
    # Without the adversarial loss D learns from labelled images only. Then G's loss is of no use either.
    "labels_only": ShortRun(
        "the same D with 4,000 labels alone",
        "cifar10",
        "configs/improved_cifar10.py:semi_supervised",
        _FEW_LABELS
        | {
            "num_steps": "7000",
            "checkpoint_every_steps": "350",
            "d_loss.adversarial": "0",
            "g_loss.feature_matching": "0",
        },
        trains_generator=False,
    ),
    "sngan-resnet": ShortRun(
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
    "dcgan": ShortRun(
        "DCGAN",
        "cifar10",
        "configs/dcgan.py",
        _NARROW | {"num_steps": "5000", "eval.every_steps": "1000", "batch_size": "64", "data.image_size": "32"},
    ),
    "acgan": ShortRun(
        "AC-GAN",
        "cifar10",
        "configs/acgan.py",
        _NARROW | {"num_steps": "5000", "eval.every_steps": "1000", "data.image_size": "32"},
    ),
    "emoji": ShortRun(
        "spectral norm and hinge loss",
        "emoji",
        "configs/cdcgan_colour.py",
        _SPECTRAL
        | {
            "num_steps": "3000",
            "eval.every_steps": "500",
            "data.image_size": "64",
            "generator.widths": "128,64,32,16",
            "discriminator.widths": "16,32,64,128",
            "augmentation.real": "",
            "augmentation.differentiable": "color,translation,cutout",
        },
    ),
}

PAGE = Page("colour", SETS, RUNS)


def main() -> None:
    parser = command.parser(PAGE, __doc__)
    for name, images in SETS.items():
        parser.add_argument(f"--{name}", default="", metavar="PATH", help=f"the images of {images.title}")
    arguments = parser.parse_args()
    paths = {name: getattr(arguments, name) for name in SETS}
    names = command.chosen(PAGE, arguments.only)
    for name in names:
        images = RUNS[name].images
        if not paths[images]:
            others = ",".join(other for other in RUNS if paths[RUNS[other].images])
            advice = f", or leave such runs out: --only {others}" if others else ""
            raise UserError(f"the run {name} needs the images of {SETS[images].title}: add --{images} PATH{advice}")
    sources = {name: {"data.name": "folder", "data.dir": path} for name, path in paths.items()}
    command.execute(PAGE, names, sources, arguments)


if __name__ == "__main__":
    cli.execute(main)
