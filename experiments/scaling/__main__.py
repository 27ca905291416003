"""A training step on many devices: python -m experiments.scaling

Compares the compiled program on 8 to 256 devices with a model, and measures host devices of this machine. Writes
scaling.json and scaling.md to --output. It takes minutes on two cores.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

if not __package__:  # Started as a file: python experiments/scaling
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.reporting import record
from experiments.scaling import report
from gan_jax import cli
from gan_jax.runs.provenance import provenance

# config -> (images per device, numbers of devices; 0: one device without a mesh). The convolutional config has so few
# images that its layers are not split into chunks: XLA's count of a program's arithmetic counts one chunk only.
_PROGRAMS = {"configs/cgan.py:tuned": (32, (0, 8, 32, 64, 128, 256)), "configs/cdcgan.py": (8, (0, 8, 256))}
_HOST_DEVICES = (1, 2, 4, 8)


def _programs() -> list[dict]:
    from experiments.scaling.program import describe

    return [describe(spec, share, count) for spec, (share, counts) in _PROGRAMS.items() for count in counts]


def _speeds() -> list[dict]:
    from experiments.scaling.speed import measure

    return [row for spec in _PROGRAMS for row in measure(spec, _HOST_DEVICES)]


_PARTS = {"programs": (_programs, 256), "speeds": (_speeds, max(_HOST_DEVICES))}


def _apart(part: str) -> list[dict]:
    """Runs a part in a separate process with the number of host devices that it needs."""
    environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={_PARTS[part][1]}"}
    command = [sys.executable, "-m", "experiments.scaling", "--part", part]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.scaling", description=__doc__)
    parser.add_argument("--output", default="experiments/results")
    parser.add_argument("--part", choices=_PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(_PARTS[arguments.part][0]()))
        return
    output, result = pathlib.Path(arguments.output), {"load_average": os.getloadavg()[0]}
    for part in _PARTS:
        print(part, flush=True)
        result[part] = _apart(part)
    result |= provenance()
    print(f"table {record.write(output, 'scaling', result, report.page(result))}")


if __name__ == "__main__":
    cli.execute(main)
