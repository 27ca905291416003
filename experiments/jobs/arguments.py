"""Arguments that the commands over many runs share, and what becomes of them."""

import argparse

from gan_jax.system.errors import UserError


def add_folders(parser: argparse.ArgumentParser, output: str, workdir: str = "") -> None:
    """--workdir, if the command trains; --output, --idx and --data_dir. output: the usual folder of the results."""
    if workdir:
        parser.add_argument("--workdir", default=workdir)
    parser.add_argument("--output", default=output, help=f"folder of the results (default {output})")
    parser.add_argument("--idx", default="", help="folder of MNIST as IDX files, where it cannot be downloaded")
    parser.add_argument("--data_dir", default="", help="where prepared data lies (default: the user's cache folder)")


def check_at_least(least: int, **given: int) -> None:
    """UserError for an argument that is less than that; given: name -> value."""
    for name, value in given.items():
        if value < least:
            raise UserError(f"--{name}={value}: must be at least {least}")


def idx_source(folder: str) -> dict:
    """Overrides of a config for images from a folder of IDX files; {} if none was given."""
    return {"data.name": "idx", "data.dir": folder} if folder else {}


def data_dir_words(data_dir: str) -> list[str]:
    """The command line's words that hand --data_dir on; [] if none was given."""
    return [f"--data_dir={data_dir}"] if data_dir else []
