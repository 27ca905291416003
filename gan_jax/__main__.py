"""One name for all commands: gan-jax train --config cdcgan is python -m gan_jax.main --config cdcgan."""

import argparse
import importlib
import pathlib
import sys

if not __package__:  # Started as a file: python gan_jax/__main__.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

import gan_jax

# name -> (module, what it does)
COMMANDS = {
    "train": ("gan_jax.main", "trains one config"),
    "sample": ("gan_jax.sample", "generates images with a trained run"),
    "evaluate": ("gan_jax.evaluate", "scores a trained run"),
    "analyze": ("gan_jax.analyze", "draws pictures of what the networks have learnt"),
    "score": ("gan_jax.score", "scores any two sets of images"),
    "turing": ("gan_jax.turing", "writes a page that asks a person which images are real"),
    "export": ("gan_jax.export", "exports a generator: ONNX, StableHLO, safetensors, or a page that draws"),
    "data": ("gan_jax.data.__main__", "shows a data set before anything is trained on it"),
}


def main() -> None:
    """Runs the command that the first argument names. Only its module is imported, so that --help appears at once."""
    lines = [f"  {name:<10}{what}" for name, (_, what) in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog="gan-jax",
        description=gan_jax.__doc__,
        epilog="\n".join(["commands:", *lines, "", "gan-jax COMMAND --help shows the options of one."]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gan-jax {gan_jax.__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    name = parser.parse_args(sys.argv[1:2]).command
    sys.argv = [f"gan-jax {name}", *sys.argv[2:]]
    command = importlib.import_module(COMMANDS[name][0])
    importlib.import_module("gan_jax.cli").execute(command.main)


if __name__ == "__main__":
    main()
