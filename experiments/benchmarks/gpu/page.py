"""The page of the records: gpu.md in their folder."""

import pathlib
from typing import Any

from experiments.benchmarks.gpu.roofline import least_seconds
from experiments.reporting import markdown
from gan_jax.system import files

_INTRODUCTION = """# gan_jax on a GPU

Written by `python -m experiments.benchmarks.gpu`. Each number is from a record (`PART.json`) beside this page.

- A step is one update of D and one of G, as on the page of `experiments.benchmarks`. Each contender is one process and
  takes turns of ten steps with the others; brackets have the quartiles over the rounds. float32 products are in TF32
  in both frameworks, bfloat16 is torch.autocast in PyTorch.
- The share of the roofline is the shortest time that the device allows for the step's arithmetic and memory traffic
  (XLA's cost analysis of gan_jax's step), over the time of the step. The device's rates are those of a large matrix
  product and of a large copy, measured on it.
- Seeds: one step of all of them, with the programs that train them.
- Graphs: ten steps in one call without metrics; the fastest of ten calls. The busy share is the
  part of the time in which some kernel ran, in three further calls under the profiler.
"""


def _spread(values: dict[str, float]) -> str:
    return f"{values['median']:.4g} ({values['lower']:.4g} to {values['upper']:.4g})"


def _share(milliseconds: float, result: dict, peaks: dict[str, Any] | None) -> str:
    return f"{1e3 * least_seconds(result['cost'], peaks, result['dtype']) / milliseconds:.0%}" if peaks else "-"


def _failed(name: str, record: dict) -> list[str]:
    return [f"{name}: failed, {markdown.escape(record['error'])}\n"]


def _steps(result: dict, peaks: dict[str, Any] | None) -> list[str]:
    rows = []
    for label, row in result["contenders"].items():
        if "error" in row:
            rows.append([label, f"failed: {markdown.escape(row['error'])}", "-", "-", "-"])
            continue
        ratio = _spread(row["ratio"]) if "ratio" in row else "-"
        share = _share(row["ms"]["median"], result, peaks)
        rows.append([label, _spread(row["ms"]), f"{row['steps_per_second']:.0f}", share, ratio])
    facts = f"Batch {result['batch_size']}, {result['dtype']}, {result['cost']['flops'] / 1e9:.3g} GFLOP and "
    facts += f"{result['cost']['bytes'] / 1e9:.3g} GB a step.\n"
    head = ["", "ms a step", "steps a second", "share of the roofline", "time / gan_jax's"]
    return [f"## {result['work']}\n", facts, markdown.table(head, rows) + "\n"]


def _seeds(records: dict[str, dict]) -> list[str]:
    rows = []
    for record in records.values():
        for count, row in record["result"]["seeds"].items():
            numbers = [row["error"], "-"] if "error" in row else [_spread(row["ms"]), f"{row['ratio']:.3g}"]
            rows.append([f"`{record['result']['work']}`", count, *numbers])
    head = ["work", "seeds in one program", "ms of one step of all", "over one seed's"]
    return ["## Seeds\n", markdown.table(head, rows) + "\n"]


def _graphs(records: dict[str, dict]) -> list[str]:
    rows = []
    for name, record in records.items():
        result = record.get("result")
        if result is None:
            rows.append([name, f"failed: {markdown.escape(record['error'])}", "-"])
            continue
        busy = "no GPU" if result["busy_share"] is None else f"{result['busy_share']:.0%}"
        rows.append([f"`{result['work']}`, {result['variant']}", f"{result['ms']:.4g}", busy])
    return ["## Loops and CUDA graphs\n", markdown.table(["", "ms a step", "busy"], rows) + "\n"]


def _studies(records: dict[str, dict]) -> list[str]:
    (result,) = (record["result"] for record in records.values())
    state = "Unfinished; the same command continues." if result["unfinished"] else "All seeds are done."
    arms = lambda seeds: ", ".join(f"{arm} {count}" for arm, count in seeds.items())  # noqa: E731
    rows = [[f"`{study}`", arms(seeds)] for study, seeds in result["seeds"].items()]
    return ["## Studies\n", f"{state}\n", markdown.table(["study", "finished seeds of each arm"], rows) + "\n"]


def _origin(records: dict[str, dict]) -> str:
    """A line for every machine, code and day that the records have."""
    lines = set()
    for record in records.values():
        if p := record.get("provenance"):
            lines.add(
                f"{p['date']}, commit {markdown.commit(p['commit'])}, {p['device']['count']} x {p['device']['kind']}, "
                f"{p['cpu_model']}, Python {p['python']}, jax {p['versions']['jax']}, PyTorch {p['torch']}.\n"
            )
    return "\n".join(sorted(lines))


def page(records: dict[str, dict]) -> str:
    """records: part -> its record, in the order of the parts."""
    lines = [_INTRODUCTION]
    if any(record["tiny"] for record in records.values()):
        lines.append("**These are records of --tiny, which tries the programs: the numbers mean nothing.**\n")
    good = {name: record for name, record in records.items() if "result" in record}
    peaks = good["device"]["result"] if "device" in good else None
    if peaks:
        rates = ", ".join(
            f"{flops / 1e12:.4g} TFLOP/s in {dtype}" for dtype, flops in peaks["flops_per_second"].items()
        )
        lines.append(f"The fastest matrix product: {rates}; a copy: {peaks['bytes_per_second'] / 1e9:.4g} GB/s.\n")
    of = lambda kind, some: {name: record for name, record in some.items() if name.startswith(kind)}  # noqa: E731
    for record in of("steps-", good).values():
        lines += _steps(record["result"], peaks)
    for kind, write in (("graph-", _graphs), ("seeds-", _seeds), ("studies", _studies)):
        if some := of(kind, records if kind == "graph-" else good):
            lines += write(some)
    for name, record in records.items():
        if "error" in record and not name.startswith("graph-"):
            lines += _failed(name, record)
    return "\n".join([*lines, _origin(records)])


def write(folder: pathlib.Path, names: list[str]) -> pathlib.Path:
    """Writes the page of the parts that have a record; returns its path."""
    paths = {name: folder / f"{name}.json" for name in names}
    records = {name: files.read_table(path, "remove it") for name, path in paths.items() if path.is_file()}
    files.write_text(folder / "gpu.md", page(records))
    return folder / "gpu.md"
