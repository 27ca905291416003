"""Whether a stream of images keeps up with a step: python -m experiments.benchmarks.streaming

For PNG, JPEG and raw images, by number of workers: images a second that the stream hands out as fast as it can, and the
share of the time that steps would wait for images if they took 1 / --steps_per_second each (nothing is computed: the
figure is yours, for instance of a GPU). A quarter of the machine's cores or more should be left to the step itself.
The results go to --output: streaming.json and streaming.md.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import tempfile
import time

import psutil

from experiments.benchmarks.machine import cpu_model
from experiments.benchmarks.quartiles import quartiles
from experiments.benchmarks.stream_set import ENCODINGS, NAME, prepare
from experiments.reporting import markdown
from gan_jax import cli
from gan_jax.runs.provenance import provenance
from gan_jax.system import files
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

_PACKAGES = ("grain", "array_record", "tensorflow-datasets", "pillow")
_WARM_STEPS = 20
_BUSY = """- Other work ran on the machine (load average {load_average:.1f} at the start): alone it is faster than these
  images a second, and its steps wait less. Processor time is affected far less than time on the clock.
"""


def _stream(images, arguments: argparse.Namespace, workers: int):
    from gan_jax.data.batches import BatchOrder
    from gan_jax.data.stream import Stream

    order = BatchOrder(0, len(images), 1, arguments.batch_size)
    return Stream(images, order, arguments.batch_size, ahead=arguments.steps_per_call, workers=workers)


def _cpu_seconds() -> float:
    """Of this process and its workers, so far."""
    here = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (here, *here.children(recursive=True)))


def _free_running(stream, arguments: argparse.Namespace) -> dict:
    """Images a second of calls that take what they get and do nothing with it, and milliseconds of a core an image."""
    per_call, rates, step = arguments.steps_per_call, [], _WARM_STEPS
    stream(0, _WARM_STEPS)
    images, spent = per_call * arguments.batch_size, _cpu_seconds()
    for _ in range(arguments.calls):
        began = time.perf_counter()
        stream(step, per_call)
        rates.append(images / (time.perf_counter() - began))
        step += per_call
    spent = 1000 * (_cpu_seconds() - spent) / (images * arguments.calls)
    return {"images_per_second": quartiles(rates), "core_ms_per_image": round(spent, 4)}


def _paced(stream, arguments: argparse.Namespace) -> float:
    """The share of the time that steps of a given speed wait, as the training loop reads: a call ahead of the steps."""
    per_call, step = arguments.steps_per_call, _WARM_STEPS
    seconds = per_call / arguments.steps_per_second
    stream(0, _WARM_STEPS)
    began = idle_at = time.perf_counter()
    waited = 0.0
    for _ in range(arguments.calls):
        stream(step, per_call)
        now = time.perf_counter()
        waited += max(now - idle_at, 0.0)
        starts = max(now, idle_at)
        # The call before runs until `idle_at`; this one is queued behind it, and only then is the next one read.
        time.sleep(max(idle_at - now, 0.0))
        idle_at, step = starts + seconds, step + per_call
    return waited / (max(time.perf_counter(), idle_at) - began)


def measure(encoding: str, arguments: argparse.Namespace) -> dict:
    """Rates by number of workers, of a set made for this in a temporary folder."""
    from gan_jax.data import sources

    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder) / "tfds"
        prepare(place, {"train": arguments.num_images, "test": 10}, arguments.side, encoding)
        size = sum(path.stat().st_size for path in place.rglob("*train.array_record*"))
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
    """streaming.md."""
    from experiments.benchmarks.report import table  # With matplotlib: not in every worker, which imports this file.

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
    return f"""# Images from files, beside what a step needs

Written by `python -m experiments.benchmarks.streaming`, beside `streaming.json`.

{result["num_images"]} made pictures of {result["side"]} x {result["side"]} x 3, read at random from array_record
files in batches of {result["batch_size"]}, in calls of {result["steps_per_call"]} steps. Assumed, not measured: a step
that is done {result["steps_per_second"]:g} times a second, which needs {needed:.0f} images a second.

{table(head, rows)}
- Images a second: medians and quartiles over {result["calls"]} calls that do nothing with what they get.
- Cores that it takes: processor time an image, of the run's process and its workers, times the images a second that the
  steps need. It says what a machine with more cores needs, as far as its cores are as fast as these.
- The time that steps wait is taken with steps that only sleep, so that nothing else uses the cores: on a machine whose
  step runs on an accelerator that is near the truth, on one whose step runs on these cores it is not.
- The files are in the system's cache: what a disk or a network can deliver is not in these numbers.
{busy}
{p["date"]}, commit {markdown.commit(p["commit"])}, {p["cpu_cores"]} CPU cores ({p["cpu_model"]}), load average
{p["load_average"]:.1f} at the start, Python {p["python"]}, {versions}.
"""


def run(arguments: argparse.Namespace) -> None:
    """Measures, prints and writes."""
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
    output = pathlib.Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    files.write_text(output / "streaming.json", json.dumps(result, indent=2) + "\n")
    files.write_text(output / "streaming.md", page(result))
    print(f"wrote {output / 'streaming.md'}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.streaming",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--steps_per_second", type=float, default=20.0, help="of the step that is to be fed (20)")
    parser.add_argument("--batch_size", type=int, default=128, help="images of a step, over all its updates of D (128)")
    parser.add_argument("--steps_per_call", type=int, default=10, help="config.steps_per_call (10)")
    parser.add_argument("--encodings", default=",".join(ENCODINGS), help="with commas (png,jpeg,raw)")
    parser.add_argument("--workers", default="0,1,2", help="config.data.stream_workers, with commas (0,1,2)")
    parser.add_argument("--num_images", type=int, default=3000, help="in the set that is made (3000)")
    parser.add_argument("--side", type=int, default=128, help="of the images, pixels (128)")
    parser.add_argument("--calls", type=int, default=20, help="that are timed (20)")
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
