"""Times gan_jax and PyTorch on this machine: python -m experiments.benchmarks

For each work: first the losses of both frameworks from the same weights must agree; then gan_jax and several forms of
PyTorch are timed in turn. It also measures single convolutions, cold starts, memory by batch size, and many seeds in
one program. Needs PyTorch: pip install torch. Writes benchmark.json, benchmark.md and benchmark.png to --output.
"""

import argparse
import datetime
import importlib.metadata
import os
import pathlib
import sys
import time
from collections.abc import Callable

if not __package__:  # Started as a file: python experiments/benchmarks
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.benchmarks import machine, works
from experiments.reporting import record
from gan_jax import cli
from gan_jax.runs.provenance import provenance
from gan_jax.system import files
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

_FURTHER_PARTS = ("convolutions", "cold_start", "memory", "seeds")
_COLD_STARTS, _SEED_ROUNDS = 3, 7


def _torch_version() -> str:
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        raise UserError("this benchmark needs PyTorch beside the requirements: pip install torch") from None


def _measure_work(name: str, device: str, rounds: int, warm_seconds: float) -> dict:
    from experiments.benchmarks import contenders, peak, summary
    from experiments.benchmarks.equality import check_equal_losses
    from experiments.benchmarks.processes import apart

    config = works.load(name)
    print("  the first losses of both frameworks from the same weights", flush=True)
    equality = apart(check_equal_losses, name)
    step_gflop, best = apart(peak.step_gflop, name), peak.measure(device)
    times, errors = contenders.measure(name, device, rounds, warm_seconds)
    rows = summary.summarize(times, config.batch_size, step_gflop, best["gflops"])
    labels = contenders.labels(name, device)
    return {
        "title": works.WORKS[name].title,
        "config": works.WORKS[name].spec,
        "batch_size": config.batch_size,
        "step_gflop": round(step_gflop, 4),
        "peak": best,
        "equality": equality,
        "rounds": rounds,
        "contenders": {label: rows.get(label) or {"error": errors[label]} for label in labels},
    }


def _further_parts(device: str) -> dict[str, Callable[[], dict]]:
    from experiments.benchmarks import cold_start, convolutions, memory, seeds
    from experiments.benchmarks.processes import apart

    return {
        "convolutions": lambda: convolutions.measure(device),
        "cold_start": lambda: {"seconds": cold_start.measure(device, _COLD_STARTS)},
        "memory": lambda: apart(memory.measure),
        "seeds": lambda: apart(seeds.measure, _SEED_ROUNDS),
    }


def _write(output: pathlib.Path, result: dict) -> None:
    from experiments.benchmarks import report

    record.write(output, "benchmark", result, report.page(result))
    if result["works"]:
        report.write_chart(output / "benchmark.png", result["works"])


def run(names: list[str], output: pathlib.Path, rounds: int, warm_seconds: float) -> None:
    """Measures the named parts and writes the results after each part. Earlier results of other parts are kept."""
    earlier = output / "benchmark.json"
    result = {"works": {}, **(files.read_table(earlier, "remove it") if earlier.is_file() else {})}
    measured_on = {
        **provenance(),
        "cpu_model": machine.cpu_model(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
        "torch": _torch_version(),
        "date": str(datetime.date.today()),
    }
    device, start_time = "cpu" if measured_on["device"]["platform"] == "cpu" else "gpu", time.monotonic()
    if measured_on["load_average"] > 0.5:
        print(
            f"load average {measured_on['load_average']:.1f}: something else runs here, expect slow and noisy numbers"
        )
    further_parts = _further_parts(device)
    for index, name in enumerate(names):
        minutes = (time.monotonic() - start_time) / 60
        time_left = f", about {minutes / index * (len(names) - index):.0f} min left" if index else ""
        print(f"{name} ({index + 1} of {len(names)}, {minutes:.0f} min so far{time_left})", flush=True)
        if name in works.WORKS:
            section = {**_measure_work(name, device, rounds, warm_seconds), "provenance": measured_on}
            measured = {**result["works"], name: section}
            # Always in the order of WORKS.
            result["works"] = {work: measured[work] for work in works.WORKS if work in measured}
        else:
            result[name] = {**further_parts[name](), "provenance": measured_on}
        _write(output, result)
    print(f"wrote {output / 'benchmark.md'}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--only", default="", help=f"with commas, of: {', '.join((*works.WORKS, *_FURTHER_PARTS))} (all)"
    )
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender (15)")
    # A virtual machine gives large memory pages to a new process only after a while. Until then a step can take 1.4
    # times as long. A run of minutes or hours is hardly affected, so the warm-up is not timed.
    parser.add_argument(
        "--warm_seconds", type=float, default=25.0, help="warm-up of each contender before its turns (25)"
    )
    parser.add_argument("--output", default="experiments/results", help="folder (experiments/results)")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else [*works.WORKS, *_FURTHER_PARTS]
    for name in names:
        choose([*works.WORKS, *_FURTHER_PARTS], name, "--only")
    if arguments.rounds < 1:
        raise UserError(f"--rounds={arguments.rounds}: must be at least 1")
    _torch_version()
    # By default each process would reserve most of the GPU's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    run(names, pathlib.Path(arguments.output), arguments.rounds, arguments.warm_seconds)


if __name__ == "__main__":
    cli.execute(main)
