"""The measured and the modelled scaling as one page."""

import json
import math
import pathlib
import re
import statistics

from experiments.reporting import markdown

_ARMS, _SEEDS = 10_000, 3
_WORKERS = (1, 8, 64, 256)
_STEP_MILLISECONDS = (1, 10, 100)


def ring_bytes(size: float, num_devices: int) -> float:
    """Bytes that each device sends when `size` bytes are added up by a ring: every part goes round twice but once."""
    return 2 * (num_devices - 1) / num_devices * size


def sweeps(folder: pathlib.Path) -> list[dict]:
    """The median seconds of one training in each study that lies in `folder`."""
    found = []
    for path in sorted(folder.glob("*@*.json")):
        study = json.loads(path.read_text())
        seconds = [
            run["seconds"]
            for arm in study["arms"].values()
            for run in arm["seeds"].values()
            if run["status"] == "completed" and run["step"] == study["steps"]
        ]
        if seconds:
            median = statistics.median(seconds)
            found.append(
                {"study": path.stem, "steps": study["steps"], "trainings": len(seconds), "median_seconds": median}
            )
    return found


def _table(head: list[str], rows: list[list]) -> str:
    return markdown.table(head, rows) + "\n"


def _programs(programs: list[dict]) -> str:
    rows = []
    for one in programs:
        if not one["devices"]:
            alone = one["flops_a_device"]
            continue
        model, size = one["model_bytes"], one["bytes"]
        rows.append(
            [f"`{one['config']}`", one["devices"], one["images_a_device"] * one["devices"]]
            + [f"{one['flops_a_device'] / 1e9:.4f}", f"{one['flops_a_device'] / alone - 1:+.2%}"]
            + [f"{size / 1e6:.3f}", f"{model / 1e6:.3f}", f"{size / model - 1:+.2%}" if model else "-"]
            + [len(one["collectives"]), f"{ring_bytes(size, one['devices']) / 1e6:.3f}"]
        )
    head = ["config", "devices", "batch", "GFLOP a device and step", "beside the model"]
    head += ["MB added up a step", "model, MB", "beside the model", "collectives", "MB each device sends, in a ring"]
    return _table(head, rows)


def _where(programs: list[dict]) -> str:
    rows = []
    for config in dict.fromkeys(one["config"] for one in programs):
        one = next(one for one in programs if one["config"] == config and one["devices"] == 8)
        largest = sorted(one["collectives"], key=lambda c: -c["bytes"])[:4]
        for each in largest:
            # One of the operations that were put together, without the brackets around all of them.
            source = each["from"].split("body/")[-1].split(":")[0].removeprefix("closed_call/")
            source = re.sub(r"(^|/)\(", r"\1", source).rstrip(")")
            rows.append([f"`{config}`", each["kind"], f"{each['bytes'] / 1e6:.3f}", each["where"], f"`{source}`"])
    return _table(["config", "what", "MB", "where", "from"], rows)


def _bandwidth(programs: list[dict]) -> str:
    rows = []
    for one in programs:
        if one["devices"] in (8, 256):
            sent = ring_bytes(one["bytes"], one["devices"])
            needed = [f"{sent / (0.1 * milliseconds * 1e-3) / 1e9:.2f}" for milliseconds in _STEP_MILLISECONDS]
            rows.append([f"`{one['config']}`", one["devices"], *needed])
    return _table(["config", "devices", *(f"step of {n} ms" for n in _STEP_MILLISECONDS)], rows)


def _speeds(speeds: list[dict]) -> str:
    rows = [
        [f"`{one['config']}`", one["devices"], one["batch_size"], f"{one['steps_per_second']:.2f}"]
        + [f"{one['efficiency']:.2f}", f"{one['slowest_to_fastest']:.2f}"]
        for one in speeds
    ]
    return _table(["config", "devices", "batch", "steps/s", "of one device's", "slowest to fastest round"], rows)


def _sweeps(found: list[dict]) -> str:
    rows = []
    for one in found:
        rounds = [math.ceil(_ARMS * _SEEDS / workers) for workers in _WORKERS]
        hours = [f"{number * one['median_seconds'] / 3600:,.1f}" for number in rounds]
        rows.append([one["study"], one["steps"], one["trainings"], f"{one['median_seconds']:.0f}", *hours])
    head = ["study", "steps", "trainings timed", "median seconds", *(f"hours, {n} workers" for n in _WORKERS)]
    return _table(head, rows)


def page(result: dict) -> str:
    """Markdown of everything that was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    cores = f"{result['device']['kind']}, {result['cpu_cores']} cores"
    return f"""# Scaling

Written by `python -m experiments.scaling`, beside `scaling.json` with every number;
[docs/scaling.md](../../docs/scaling.md) says what it means. Commit {result["commit"]}; {versions}; {cores};
load average {result["load_average"]:.1f} at the start.

## The compiled step on 8 to 256 devices
A fixed number of images a device. The model of a device's arithmetic is the program of one device without a mesh on
that many images; the model of what is added up is G's parameters, and D's once for each of its looks (program.py).

{_programs(result["programs"])}
The largest collectives on 8 devices:

{_where(result["programs"])}
GB/s that each device must send so that they take a tenth of a step, for steps of three lengths, if nothing overlaps:

{_bandwidth(result["programs"])}
## Host devices of this machine
All of them share its cores, and the whole batch is the same: this is what cutting costs, not a speedup.

{_speeds(result["speeds"])}
## A sweep of {_ARMS:,} arms with {_SEEDS} seeds
One training at a time on a worker like those of the study, none of which waits for another.

{_sweeps(result["sweeps"])}"""
