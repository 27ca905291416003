"""A short run of every system on digits, with its scores and pictures: python -m experiments.systems

Each run is in --workdir/<name>. Finished runs are skipped and unfinished runs are continued, so the command can be
interrupted and repeated. After each run it writes to --output: systems.json (the record), and grids and curves in
systems/. A run that is not in --workdir keeps its entry in the record. Then `python -m experiments.pages` writes the
page from its template.
"""

import pathlib
import sys

if not __package__:  # Started as a file: python experiments/systems.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from experiments.jobs.arguments import idx_source
from experiments.short_runs import command
from experiments.short_runs.plan import ImageSet, Page, ShortRun
from gan_jax import cli

SETS = {"digits": ImageSet("digits", {"data.fallback": "mnist_5k", "eval.every_steps": "250"}, finds_duplicates=False)}
# Lengths and widths are for minutes on two cores.
RUNS = {
    "cdcgan": ShortRun("conditional DCGAN", "digits", "configs/cdcgan.py", {}),
    "acgan": ShortRun("AC-GAN", "digits", "configs/acgan.py", {}),
    "sgan": ShortRun("semi-supervised GAN", "digits", "configs/sgan.py", {"num_steps": "1500"}),
    "lsgan": ShortRun("least squares GAN", "digits", "configs/lsgan.py", {"num_steps": "1500"}),
    "wgan_gp": ShortRun("WGAN-GP", "digits", "configs/wgan_gp.py", {"num_steps": "500"}),
    "sngan": ShortRun("SNGAN", "digits", "configs/sngan.py", {"num_steps": "1500"}),
    "sngan-resnet": ShortRun(
        "SNGAN, residual",
        "digits",
        "configs/sngan.py:resnet",
        {
            "num_steps": "300",
            "d_steps": "2",
            "generator.widths": "32,32,32",
            "discriminator.widths": "32,32,32,32",
        },
    ),
    "dcgan": ShortRun("DCGAN", "digits", "configs/dcgan.py", {"num_steps": "1500", "batch_size": "64"}),
    "dcgan-upsample": ShortRun(
        "DCGAN with upsampling",
        "digits",
        "configs/dcgan.py:upsample",
        {"num_steps": "1000", "batch_size": "64", "generator.widths": "64,64,32"},
    ),
    "cgan": ShortRun("the tutorial's conditional GAN", "digits", "configs/cgan.py", {"num_steps": "1500"}),
    "cgan-tuned": ShortRun("its layers, tuned", "digits", "configs/cgan.py:tuned", {"num_steps": "3000"}),
    "cgan_final": ShortRun("the tutorial's last recipe", "digits", "configs/cgan_final.py", {"num_steps": "1500"}),
    "improved_cifar10": ShortRun(
        "Improved GAN, CIFAR-10's recipe",
        "digits",
        "configs/improved_cifar10.py",
        {
            "num_steps": "500",
            "batch_size": "50",
            "init_batch_size": "50",
            "data.channels": "1",
            "generator.widths": "64,48,32",
            "discriminator.widths": "24,32,32",
        },
    ),
    "improved_imagenet": ShortRun(
        "Improved GAN, ImageNet's recipe", "digits", "configs/improved_imagenet.py:small", {}
    ),
}
PAGE = Page("systems", SETS, RUNS)


def main() -> None:
    parser = command.parser(PAGE, __doc__)
    parser.add_argument("--idx", default="", help="folder of MNIST as IDX files, if MNIST cannot be downloaded")
    arguments = parser.parse_args()
    names = command.chosen(PAGE, arguments.only)
    command.execute(PAGE, names, {"digits": idx_source(arguments.idx) or {"data.name": "mnist"}}, arguments)


if __name__ == "__main__":
    cli.execute(main)
