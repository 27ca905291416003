"""Trains one config: python -m gan_jax.main --config configs/cdcgan.py [--workdir W] [--config.key=value ...]"""

import argparse
import pathlib
import sys

if not __package__:  # Started as a file: python gan_jax/main.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from gan_jax import cli
from gan_jax.runs import workdir
from gan_jax.system import extras
from gan_jax.system.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(prog=cli.program("gan_jax.main"), description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--config",
        required=True,
        help="config file, file:variant, or the name of one of this project's: cdcgan, cgan:tuned, ...",
    )
    parser.add_argument("--workdir", help="folder of the run; continues the run in it (default runs/<config>-<time>)")
    parser.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")
    parser.add_argument(
        "--init_from", default="", metavar="W", help="folder of another run: a new run starts from its last state"
    )
    several = parser.add_argument_group("several processes, each started with the same config")
    several.add_argument("--coordinator", help="host:port of process 0, to which the others connect")
    several.add_argument("--num_processes", type=int)
    several.add_argument("--process_id", type=int, help="0 to num_processes - 1; 0 writes the workdir")
    several.add_argument("--distributed", action="store_true", help="the same from SLURM, Kubernetes or a TPU pod")
    arguments, overrides = parser.parse_known_args()
    config = cli.parse_config(arguments.config, overrides)
    _join(arguments)

    # Imported here, so that --help and error messages appear at once.
    from gan_jax.runs.score import final_table
    from gan_jax.training import session

    path = workdir.default_path(arguments.config) if arguments.workdir is None else arguments.workdir
    grid = session.train(config, path, arguments.data_dir, arguments.init_from)
    if grid is None:  # Process 0 prints the results.
        return
    if config.eval.at_end:
        print(final_table(path, config.eval.at_end_num_images, arguments.data_dir))
    print(f"results     {path} (samples {grid})")
    if extras.is_installed("tensorboard"):
        print(f"TensorBoard python -m tensorboard.main --logdir {path}")


def _join(arguments: argparse.Namespace) -> None:
    """Connects to the other processes of the run, if the flags name any. UserError for an incomplete set of flags."""
    addresses = {
        "coordinator_address": arguments.coordinator,
        "num_processes": arguments.num_processes,
        "process_id": arguments.process_id,
    }
    is_given = [value is not None for value in addresses.values()]
    if any(is_given) and (arguments.distributed or not all(is_given)):
        raise UserError("give --coordinator, --num_processes and --process_id together, or --distributed alone")
    if any(is_given) or arguments.distributed:
        from gan_jax.devices import hosts

        hosts.join(**addresses if all(is_given) else {})


if __name__ == "__main__":
    cli.execute(main)
