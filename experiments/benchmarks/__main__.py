"""Times gan_jax and PyTorch on this machine: python -m experiments.benchmarks

For each work: first the losses of both frameworks from the same weights must agree; then gan_jax and every form of
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
from typing import NamedTuple

if not __package__:  # Started as a file: python experiments/benchmarks
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.benchmarks import machine, works
from experiments.jobs.arguments import check_at_least
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


class Effort(NamedTuple):
    """How long each contender is measured: processes one after the other, and for each of them rounds and a warm-up."""

    processes: int
    rounds: int
    warm_seconds: float


def _measure_work(name: str, device: str, effort: Effort) -> dict:
    from experiments.benchmarks import contenders, forms, peak, summary
    from experiments.benchmarks.equality import check_equal_losses
    from experiments.benchmarks.processes import apart

    config = works.load(name)
    print("  the first losses of both frameworks from the same weights", flush=True)
    equality = apart(check_equal_losses, name)
    step_gflop, best = apart(peak.step_gflop, name), peak.measure(device)

    def measure(entries: dict[str, contenders.Entry]) -> dict[str, dict]:
        times, errors = contenders.measure(entries, name, device, **effort._asdict())
        rows = summary.summarize(times, config.batch_size, step_gflop, best["gflops"])
        return {label: rows.get(label) or {"error": errors[label]} for label in entries}

    rows = measure({label: contenders.Entry(label) for label in forms.labels(config, device)})
    # The environments are tried for gan_jax, and for the fastest form of PyTorch.
    environments, missing = forms.environments()
    chosen = [forms.OURS, *filter(None, [summary.best_rival(rows)])]
    tried = {
        f"{form}, {name}": contenders.Entry(form, environment)
        for name, environment in environments.items()
        for form in chosen
    }
    rows_of_tried = measure({forms.OURS: contenders.Entry(forms.OURS), **tried})
    return {
        "title": works.WORKS[name].title,
        "config": works.WORKS[name].spec,
        "batch_size": config.batch_size,
        "step_gflop": round(step_gflop, 4),
        "peak": best,
        "equality": equality,
        **effort._asdict(),
        "not_installed": missing,
        "contenders": rows | {label: rows_of_tried[label] for label in tried},
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


def run(names: list[str], output: pathlib.Path, effort: Effort) -> None:
    """Measures the named parts and writes the results after each part. Earlier results of other parts are kept."""
    earlier = output / "benchmark.json"
    result = {"works": {}, **(files.read_table(earlier, "remove it") if earlier.is_file() else {})}
    measured_on = {
        **provenance(),
        "cpu_model": machine.cpu_model(),
        "load_average": machine.load_average(),
        "torch": _torch_version(),
        "date": str(datetime.date.today()),
    }
    device, start_time = "cpu" if measured_on["device"]["platform"] == "cpu" else "gpu", time.monotonic()
    further_parts = _further_parts(device)
    for index, name in enumerate(names):
        minutes = (time.monotonic() - start_time) / 60
        time_left = f", about {minutes / index * (len(names) - index):.0f} min left" if index else ""
        print(f"{name} ({index + 1} of {len(names)}, {minutes:.0f} min so far{time_left})", flush=True)
        if name in works.WORKS:
            section = {**_measure_work(name, device, effort), "provenance": measured_on}
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
    parser.add_argument(
        "--processes", type=int, default=5, help="of each contender, one after the other; quartiles are over them (5)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each process (5)")
    # A virtual machine gives large memory pages to a new process only after a while. Until then a step can take 1.4
    # times as long. A run of minutes or hours is hardly affected, so the warm-up is not timed.
    parser.add_argument(
        "--warm_seconds", type=float, default=25.0, help="warm-up of each process before its turns (25)"
    )
    parser.add_argument("--any-load", action="store_true", help="measure also while something else computes here")
    parser.add_argument("--output", default="experiments/results", help="folder (experiments/results)")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else [*works.WORKS, *_FURTHER_PARTS]
    for name in names:
        choose([*works.WORKS, *_FURTHER_PARTS], name, "--only")
    check_at_least(1, processes=arguments.processes, rounds=arguments.rounds)
    _torch_version()
    machine.check_quiet(arguments.any_load)
    # By default each process would reserve most of the GPU's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    effort = Effort(arguments.processes, arguments.rounds, arguments.warm_seconds)
    run(names, pathlib.Path(arguments.output), effort)


if __name__ == "__main__":
    cli.execute(main)
