"""Measures if a stream of images is fast enough for a step: python -m experiments.benchmarks.streaming

For PNG, JPEG and raw images, by number of workers: images per second of the stream at full speed, and the share of the
time that steps of 1 / --steps_per_second seconds would wait for images. The steps compute nothing: choose
--steps_per_second for your own step, for instance on a GPU. Leave at least a quarter of the machine's cores to the
step. Writes streaming.json and streaming.md to --output.
"""

import argparse
import datetime
import importlib.metadata
import os
import pathlib
import sys
import tempfile
import time

if not __package__:  # Started as a file: python experiments/benchmarks/streaming.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

import psutil

from experiments.benchmarks.machine import cpu_model
from experiments.benchmarks.quartiles import quartiles
from experiments.benchmarks.stream_set import ENCODINGS, NAME, prepare
from experiments.reporting import markdown, record
from gan_jax import cli
from gan_jax.runs.provenance import provenance
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

_PACKAGES = ("grain", "array_record", "tensorflow-datasets", "pillow")
_WARM_STEPS = 20
_BUSY = """- Other programs ran on the machine (load average {load_average:.1f} at the start). On an idle machine the
  stream is faster and steps wait less. Other programs change processor time much less than wall time.
"""


def _stream(images, arguments: argparse.Namespace, workers: int):
    from gan_jax.data.batches import BatchOrder
    from gan_jax.data.stream import Stream

    order = BatchOrder(0, len(images), 1, arguments.batch_size)
    return Stream(images, order, arguments.batch_size, ahead=arguments.steps_per_call, workers=workers)


def _cpu_seconds() -> float:
    """Processor time of this process and its workers so far."""
    parent = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (parent, *parent.children(recursive=True)))


def _free_running(stream, arguments: argparse.Namespace) -> dict:
    """Images per second of calls that only read, and milliseconds of processor time per image."""
    per_call, rates, step = arguments.steps_per_call, [], _WARM_STEPS
    stream(0, _WARM_STEPS)
    images, cpu_start = per_call * arguments.batch_size, _cpu_seconds()
    for _ in range(arguments.calls):
        start_time = time.perf_counter()
        stream(step, per_call)
        rates.append(images / (time.perf_counter() - start_time))
        step += per_call
    core_ms = 1000 * (_cpu_seconds() - cpu_start) / (images * arguments.calls)
    return {"images_per_second": quartiles(rates), "core_ms_per_image": round(core_ms, 4)}


def _paced(stream, arguments: argparse.Namespace) -> float:
    """The share of the time that steps of a given speed wait. As in training, one call is read ahead of the steps."""
    per_call, step = arguments.steps_per_call, _WARM_STEPS
    seconds = per_call / arguments.steps_per_second
    stream(0, _WARM_STEPS)
    start_time = idle_at = time.perf_counter()
    waited = 0.0
    for _ in range(arguments.calls):
        stream(step, per_call)
        now = time.perf_counter()
        waited += max(now - idle_at, 0.0)
        starts = max(now, idle_at)
        # The previous call runs until `idle_at`. This call is queued behind it; only then is the next call read.
        time.sleep(max(idle_at - now, 0.0))
        idle_at, step = starts + seconds, step + per_call
    return waited / (max(time.perf_counter(), idle_at) - start_time)


def measure(encoding: str, arguments: argparse.Namespace) -> dict:
    """Rates by number of workers, of a data set that is made in a temporary folder."""
    from gan_jax.data import sources

    with tempfile.TemporaryDirectory() as folder:
        tfds_folder = pathlib.Path(folder) / "tfds"
        prepare(tfds_folder, {"train": arguments.num_images, "test": 10}, arguments.side, encoding)
        size = sum(path.stat().st_size for path in tfds_folder.rglob("*train.array_record*"))
        images = sources.load(NAME, data_dir=folder, stream="always").train.images
        rows = {}
        for workers in arguments.workers:
            stream = _stream(images, arguments, workers)
            try:
                rows[str(workers)] = {
                    **_free_running(stream, arguments),
                    "waiting": round(_paced(stream, arguments), 4),
                }
            finally:
                stream.close()
            row = rows[str(workers)]
            rate = row["images_per_second"]["median"]
            print(f"  {encoding}, {workers} workers: {rate:.0f} images/s, {row['waiting']:.0%} waiting", flush=True)
    return {"bytes_per_image": round(size / arguments.num_images), "workers": rows}


def page(result: dict) -> str:
    """The content of streaming.md."""
    from experiments.benchmarks.report import table  # Imports matplotlib, which the workers do not need.

    p, needed = result["provenance"], result["steps_per_second"] * result["batch_size"]
    busy = _BUSY.format(**p) if p["load_average"] > 0.5 else ""
    versions = ", ".join(f"{name} {version}" for name, version in p["packages"].items())
    rows = []
    for encoding, section in result["encodings"].items():
        for workers, row in section["workers"].items():
            rate = row["images_per_second"]
            label = f"{workers} process{'es' * (workers != '1')}" if workers != "0" else "threads of the run's process"
            spread = f"{rate['median']:.0f} ({rate['lower']:.0f} to {rate['upper']:.0f})"
            cores = row["core_ms_per_image"] * needed / 1000
            kind = f"{encoding}, {section['bytes_per_image']} bytes"
            rows.append(
                [kind, label, spread, f"{rate['median'] / needed:.2f}", f"{cores:.1f}", f"{row['waiting']:.0%}"]
            )
    needs = ["of what the steps need", "cores that it takes", "time that steps wait"]
    head = ["images", "read and decoded by", "images a second", *needs]
    return f"""# Images from files: rates of the stream and needs of a step

Written by `python -m experiments.benchmarks.streaming`, beside `streaming.json`.

{result["num_images"]} synthetic pictures of {result["side"]} x {result["side"]} x 3, read in random order from
array_record files in batches of {result["batch_size"]}, in calls of {result["steps_per_call"]} steps. Assumed, not
measured: {result["steps_per_second"]:g} steps a second, which need {needed:.0f} images a second.

{table(head, rows)}
- Images a second: medians and quartiles over {result["calls"]} calls that only read.
- Cores that it takes: processor time per image, of the run's process and its workers, times the images a second that
  the steps need. A machine with more cores of the same speed needs this number of cores.
- The time that steps wait is measured with steps that only sleep, so that nothing else uses the cores. It is realistic
  if the step runs on an accelerator, but not if it runs on these cores.
- The files are in the system's cache, so these numbers do not include the speed of a disk or a network.
{busy}
{p["date"]}, commit {markdown.commit(p["commit"])}, {p["cpu_cores"]} CPU cores ({p["cpu_model"]}), load average
{p["load_average"]:.1f} at the start, Python {p["python"]}, {versions}.
"""


def run(arguments: argparse.Namespace) -> None:
    """Measures all encodings, prints the rates and writes the files."""
    measured_on = {
        **provenance(),
        "cpu_model": cpu_model(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "date": str(datetime.date.today()),
    }
    assumed = ("steps_per_second", "batch_size", "steps_per_call", "calls", "num_images", "side")
    result = {name: getattr(arguments, name) for name in assumed}
    result["encodings"] = {encoding: measure(encoding, arguments) for encoding in arguments.encodings}
    result["provenance"] = measured_on
    print(f"wrote {record.write(pathlib.Path(arguments.output), 'streaming', result, page(result))}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.streaming",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        "--steps_per_second", type=float, default=20.0, help="speed of the step that reads the images (20)"
    )
    parser.add_argument("--batch_size", type=int, default=128, help="images of a step, over all its updates of D (128)")
    parser.add_argument("--steps_per_call", type=int, default=10, help="config.steps_per_call (10)")
    parser.add_argument("--encodings", default=",".join(ENCODINGS), help="with commas (png,jpeg,raw)")
    parser.add_argument("--workers", default="0,1,2", help="config.data.stream_workers, with commas (0,1,2)")
    parser.add_argument("--num_images", type=int, default=3000, help="size of the data set that is made (3000)")
    parser.add_argument("--side", type=int, default=128, help="side of the images in pixels (128)")
    parser.add_argument("--calls", type=int, default=20, help="number of timed calls (20)")
    parser.add_argument("--output", default="experiments/results", help="folder (experiments/results)")
    arguments = parser.parse_args()
    arguments.encodings = arguments.encodings.split(",")
    for encoding in arguments.encodings:
        choose(ENCODINGS, encoding, "--encodings")
    try:
        arguments.workers = [int(number) for number in arguments.workers.split(",")]
    except ValueError:
        raise UserError(f"--workers={arguments.workers}: whole numbers with commas, such as 0,2") from None
    for name in ("steps_per_second", "batch_size", "steps_per_call", "num_images", "side", "calls"):
        if getattr(arguments, name) <= 0:
            raise UserError(f"--{name}={getattr(arguments, name)}: must be more than 0")
    run(arguments)


if __name__ == "__main__":
    cli.execute(main)
