"""The page of the measured and the modelled scaling."""

import re

from experiments.reporting import markdown

_STEP_MILLISECONDS = (1, 10, 100)


def ring_bytes(size: float, num_devices: int) -> float:
    """Bytes that each device sends if `size` bytes are summed over a ring: 2 (n - 1) / n * size."""
    return 2 * (num_devices - 1) / num_devices * size


def _table(head: list[str], rows: list[list]) -> str:
    return markdown.table(head, rows) + "\n"


def _programs(programs: list[dict]) -> str:
    rows = []
    for program in programs:
        if not program["devices"]:
            one_device_flops = program["flops_a_device"]
            continue
        model, size, flops = program["model_bytes"], program["bytes"], program["flops_a_device"]
        rows.append(
            [f"`{program['config']}`", program["devices"], program["images_a_device"] * program["devices"]]
            + [f"{flops / 1e9:.4f}", f"{flops / one_device_flops - 1:+.2%}"]
            + [f"{size / 1e6:.3f}", f"{model / 1e6:.3f}", f"{size / model - 1:+.2%}" if model else "-"]
            + [len(program["collectives"]), f"{ring_bytes(size, program['devices']) / 1e6:.3f}"]
        )
    head = ["config", "devices", "batch", "GFLOP a device and step", "beside the model"]
    head += ["MB added up a step", "model, MB", "beside the model", "collectives", "MB each device sends, in a ring"]
    return _table(head, rows)


def _where(programs: list[dict]) -> str:
    rows = []
    for config in dict.fromkeys(program["config"] for program in programs):
        on_8 = next(program for program in programs if program["config"] == config and program["devices"] == 8)
        largest = sorted(on_8["collectives"], key=lambda c: -c["bytes"])[:4]
        for c in largest:
            # XLA joins the names of combined operations in brackets: take the first name, without the brackets.
            source = c["from"].split("body/")[-1].split(":")[0].removeprefix("closed_call/")
            source = re.sub(r"(^|/)\(", r"\1", source).rstrip(")")
            rows.append([f"`{config}`", c["kind"], f"{c['bytes'] / 1e6:.3f}", c["where"], f"`{source}`"])
    return _table(["config", "what", "MB", "where", "from"], rows)


def _bandwidth(programs: list[dict]) -> str:
    rows = []
    for program in programs:
        if program["devices"] in (8, 256):
            sent = ring_bytes(program["bytes"], program["devices"])
            needed = [f"{sent / (0.1 * milliseconds * 1e-3) / 1e9:.2f}" for milliseconds in _STEP_MILLISECONDS]
            rows.append([f"`{program['config']}`", program["devices"], *needed])
    return _table(["config", "devices", *(f"step of {n} ms" for n in _STEP_MILLISECONDS)], rows)


def _speeds(speeds: list[dict]) -> str:
    rows = [
        [f"`{speed['config']}`", speed["devices"], speed["batch_size"], f"{speed['steps_per_second']:.2f}"]
        + [f"{speed['efficiency']:.2f}", f"{speed['slowest_to_fastest']:.2f}"]
        for speed in speeds
    ]
    return _table(["config", "devices", "batch", "steps/s", "of one device's", "slowest to fastest round"], rows)


def page(result: dict) -> str:
    """The page in Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    cores = f"{result['device']['kind']}, {result['cpu_cores']} cores"
    return f"""# Scaling

Written by `python -m experiments.scaling`, beside `scaling.json` with every number;
[docs/scaling.md](../../docs/scaling.md) explains them. Commit {result["commit"]}; {versions}; {cores};
load average {result["load_average"]:.1f} at the start.

## The compiled step on 8 to 256 devices
Every device has the same number of images. The model of a device's arithmetic is the program of one device without a
mesh on this number of images. The model of the summed bytes is G's parameters once, and D's once for each of D's
forward passes (program.py).

{_programs(result["programs"])}
The largest collectives on 8 devices:

{_where(result["programs"])}
GB/s that each device must send so that the sums take a tenth of a step, for steps of three lengths, if communication
and arithmetic do not overlap:

{_bandwidth(result["programs"])}
## Host devices of this machine
All host devices share this machine's cores, and the batch of a step is the same for any number of devices. So the table
shows the cost of splitting a step, not a speedup.

{_speeds(result["speeds"])}"""
