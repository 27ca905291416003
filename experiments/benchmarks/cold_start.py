"""Seconds from the start of a command to its tenth training step: imports, compilation and the steps."""

import argparse
import os
import subprocess
import sys
import tempfile
import time

from experiments.benchmarks import contenders
from experiments.benchmarks.forms import OURS
from experiments.benchmarks.quartiles import quartiles

WORKS = ("cgan", "cdcgan")
_TORCH = "PyTorch eager"


def _seconds(label: str, name: str, device: str, cache: str) -> float:
    """One start in a fresh process. cache: folder of JAX's compiled programs, "" for none."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JAX_COMPILATION_CACHE")}
    if cache:
        # By default, JAX caches only programs that take a second or more to compile.
        environment |= {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    command = [sys.executable, "-m", "experiments.benchmarks.cold_start", label, name, device]
    start_time = time.time()
    process = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(process.stdout.split()[-1]) - start_time


def measure(device: str, repeats: int) -> dict:
    """Quartiles of seconds by work: gan_jax without and with a cache of compiled programs, and PyTorch eager."""
    result = {}
    for name in WORKS:
        print(f"  {name}: {repeats} cold starts of each kind", flush=True)
        with tempfile.TemporaryDirectory() as cache:
            _seconds(OURS, name, device, cache)
            kinds = {
                "gan_jax": (OURS, ""),
                "gan_jax, programs cached": (OURS, cache),
                _TORCH: (_TORCH, ""),
            }
            times = {kind: [] for kind in kinds}
            for _ in range(repeats):
                for kind, (label, folder) in kinds.items():
                    times[kind].append(_seconds(label, name, device, folder))
        result[name] = {kind: quartiles(values) for kind, values in times.items()}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.cold_start", description=__doc__)
    for argument in ("label", "name", "device"):
        parser.add_argument(argument)
    arguments = parser.parse_args()
    contenders.make_turn(arguments.label, arguments.name, arguments.device)()
    print(time.time())


if __name__ == "__main__":
    main()
