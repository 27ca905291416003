"""Exports the generator of a run.

python -m gan_jax.export --workdir W --output generator.onnx|generator.stablehlo|generator.safetensors|generator.html

.onnx: for onnxruntime and other runtimes; written only if onnxruntime draws our images. .stablehlo: for JAX, without
this code. .safetensors: the weights of both networks, which gan_jax.load reads. .html: a page that draws in a browser,
without a server. NAME.md beside it says what it is.
"""

import argparse
import importlib
import pathlib
import sys

if not __package__:  # Started as a file: python gan_jax/export.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from gan_jax import cli
from gan_jax.formats import model_card
from gan_jax.formats.generator import Generator
from gan_jax.networks.build import has_ema
from gan_jax.runs.load import CHECKPOINTS, load_run
from gan_jax.system.errors import UserError
from gan_jax.system.files import writing

# ending of the file -> the module that writes it
FORMATS = {
    ".onnx": "gan_jax.formats.onnx",
    ".stablehlo": "gan_jax.formats.stablehlo",
    ".safetensors": "gan_jax.formats.safetensors",
    ".html": "gan_jax.formats.page",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog=cli.program("gan_jax.export"), description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--output", required=True, help=f"NAME that ends in {', '.join(FORMATS)}")
    parser.add_argument("--checkpoint", choices=CHECKPOINTS, default="newest", help="best: by its validation score")
    parser.add_argument("--generator", choices=("ema", "raw"), default="ema")
    parser.add_argument(
        "--runtime",
        default="",
        help="for .html: the folder dist of onnxruntime-web (node_modules/onnxruntime-web/dist)",
    )
    cli.add_parts(parser)
    arguments = parser.parse_args()
    path = cli.output_path(arguments.output)
    if path.suffix not in FORMATS:
        raise UserError(f"--output={path}: end the name in {', '.join(FORMATS)}")
    if arguments.runtime and path.suffix != ".html":
        raise UserError(f"--runtime={arguments.runtime} is for --output NAME.html; leave it out")
    options = {"runtime": arguments.runtime} if path.suffix == ".html" else {}
    run = load_run(arguments.workdir, arguments.checkpoint)
    is_ema = arguments.generator == "ema" and has_ema(run.config.generator)
    generator = Generator(run, is_ema)
    with writing(f"--output={path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        line = importlib.import_module(FORMATS[path.suffix]).write(generator, path, **options)
        model_card.write(generator, path)
    print(f"{path}: step {run.step}, {path.stat().st_size:,} bytes; {line}")
    print(f"{model_card.path_of(path)}: what it is")


if __name__ == "__main__":
    cli.execute(main)
