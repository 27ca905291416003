"""Measures gan_jax on a GPU, in parts: python -m experiments.benchmarks.gpu [--tiny]

Each part has a process, a time limit and a record (JSON, with device, versions and commit) in --output. The same
command continues: parts with a record are skipped. --tiny tries every part on any machine, also on a CPU; its numbers
mean nothing. experiments/benchmarks/gpu.sh installs what is needed and calls this.
"""

import argparse
import pathlib
import sys

import jax

if not __package__:  # Started as a file: python experiments/benchmarks/gpu
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[3])

from experiments.benchmarks.gpu import page, schedule
from experiments.benchmarks.gpu.parts import Size, make_parts
from experiments.benchmarks.processes import apart
from experiments.jobs.arguments import check_at_least
from gan_jax import cli
from gan_jax.system import files
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.gpu", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true", help="try the programs; the numbers mean nothing")
    parser.add_argument("--only", default="", help="parts with commas, or the beginnings of their names (all)")
    parser.add_argument("--minutes", type=int, help="of all parts together (12; with --tiny 60)")
    parser.add_argument("--retry", action="store_true", help="measure the parts again whose record is an error")
    parser.add_argument("--idx", default="", help="folder of IDX files for the studies (default: the data they find)")
    parser.add_argument("--output", default="", help="folder of the records (runs/gpu; with --tiny runs/gpu_tiny)")
    parser.add_argument("--list", action="store_true", help="print the parts and their limits, and measure nothing")
    arguments = parser.parse_args()
    if arguments.minutes is None:
        arguments.minutes = 60 if arguments.tiny else 12
    check_at_least(1, minutes=arguments.minutes)
    arguments.output = pathlib.Path(arguments.output or ("runs/gpu_tiny" if arguments.tiny else "runs/gpu"))
    return arguments


def _chosen(arguments: argparse.Namespace) -> list:
    parts = make_parts(Size(arguments.tiny, arguments.idx))
    beginnings = tuple(arguments.only.split(","))
    for beginning in beginnings:
        if not any(part.name.startswith(beginning) for part in parts):
            choose([part.name for part in parts], beginning, "--only")
    return [part for part in parts if part.name.startswith(beginnings)]


def _check(arguments: argparse.Namespace) -> None:
    """UserError without a GPU, or if the folder has records of the other size."""
    if not arguments.tiny and apart(jax.default_backend) == "cpu":
        raise UserError(
            'JAX finds no GPU here: pip install "jax[cuda12]", or add --tiny, which tries the programs on a CPU'
        )
    for path in arguments.output.glob("*.json"):
        if files.read_table(path, "remove it").get("tiny") != arguments.tiny:
            raise UserError(
                f"{arguments.output} has records of a run {'without' if arguments.tiny else 'with'} --tiny; "
                "choose another --output"
            )


def main() -> None:
    arguments = _parse()
    parts = _chosen(arguments)
    if arguments.list:
        for part in parts:
            print(f"{part.name:<40} at most {part.seconds:.0f} s")
        return
    _check(arguments)
    size = Size(arguments.tiny, arguments.idx)
    waiting = schedule.run_parts(parts, arguments.output, size, arguments.minutes * 60, arguments.retry)
    path = page.write(arguments.output, [part.name for part in make_parts(size)])
    print(f"wrote {path}")
    if waiting:
        print(f"no time left for {', '.join(waiting)}; the same command continues")


if __name__ == "__main__":
    cli.execute(main)
