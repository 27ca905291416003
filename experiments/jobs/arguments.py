"""Command-line arguments that the commands over many runs share, and their checks."""

import argparse

from gan_jax.system.errors import UserError


def add_folders(parser: argparse.ArgumentParser, output: str, workdir: str = "") -> None:
    """Adds --output, --idx and --data_dir, and --workdir if the command trains.

    output: the default folder of the results.
    workdir: the default of --workdir; "" if the command does not train.
    """
    if workdir:
        parser.add_argument("--workdir", default=workdir)
    parser.add_argument("--output", default=output, help=f"folder of the results (default {output})")
    parser.add_argument("--idx", default="", help="folder of MNIST as IDX files, if MNIST cannot be downloaded")
    parser.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")


def check_at_least(minimum: int, **values: int) -> None:
    """UserError for an argument below `minimum`; values: name -> value."""
    for name, value in values.items():
        if value < minimum:
            raise UserError(f"--{name}={value}: must be at least {minimum}")


def idx_source(folder: str) -> dict:
    """Config overrides that read images from a folder of IDX files; {} for folder ""."""
    return {"data.name": "idx", "data.dir": folder} if folder else {}


def data_dir_arguments(data_dir: str) -> list[str]:
    """Arguments that pass --data_dir on to another process; [] for data_dir ""."""
    return [f"--data_dir={data_dir}"] if data_dir else []
