"""The page and the chart of the results."""

import pathlib

import matplotlib

matplotlib.use("Agg")  # Needs no display, which most machines that train do not have.
import matplotlib.pyplot as plt

from experiments.benchmarks.forms import OURS
from experiments.benchmarks.machine import QUIET_LOAD
from experiments.benchmarks.method import METHOD, ON_A_GPU
from experiments.benchmarks.summary import best_rival, share_of_single_pass
from experiments.reporting import markdown

_INTRODUCTION = """# gan_jax beside PyTorch

Written by `python -m experiments.benchmarks` (`make benchmark`; it needs `pip install torch`). `benchmark.json` beside
this page has every number. `--only cgan,memory` measures these parts again and keeps the results of the other parts.

![milliseconds a step](benchmark.png)
"""


def _spread(values: dict[str, float], unit: str = "") -> str:
    return f"{values['median']:.4g}{unit} ({values['lower']:.4g} to {values['upper']:.4g})"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return markdown.table(head, rows) + "\n"


def _origin(section: dict) -> str:
    """A line with the date, the commit, the machine and the versions of a section."""
    p = section["provenance"]
    device = p["cpu_model"] if p["device"]["platform"] == "cpu" else p["device"]["kind"]
    load = f"load average at the start {p['load_average']:.1f}"
    if p["load_average"] > QUIET_LOAD:
        load += f", above {QUIET_LOAD}: measured beside other work"
    return (
        f"{p['date']}, commit {markdown.commit(p['commit'])}, {device}, "
        f"{p['cpu_cores']} CPU cores ({load}), Python {p['python']}, "
        f"jax {p['versions']['jax']}, PyTorch {p['torch']}.\n"
    )


def _overview(works: dict[str, dict]) -> str:
    rows = []
    for name, work in works.items():
        best, contenders = best_rival(work["contenders"]), work["contenders"]
        ours = _spread(contenders[OURS]["ms"]) if "ms" in contenders[OURS] else "failed"
        theirs = f"{_spread(contenders[best]['ms'])}, {best.removeprefix('PyTorch ')}" if best else "failed"
        ratio = _spread(contenders[best]["ratio"]) if best and "ratio" in contenders[best] else "-"
        rows.append([f"`{name}`", ours, theirs, ratio])
    head = ["work", "gan_jax, ms a step", "PyTorch's best, ms a step", "PyTorch's time / gan_jax's"]
    return "## Overview\n\n" + table(head, rows)


def _work(name: str, work: dict) -> str:
    rows = []
    for label, row in work["contenders"].items():
        if "error" in row:
            rows.append([label, f"failed: {row['error'].replace('|', '/')}", "-", "-", "-"])
            continue
        cells = [_spread(row["ms"]), f"{row['images_per_second']:.0f}", f"{row['peak_fraction']:.0%}"]
        rows.append([label, *cells, _spread(row["ratio"]) if "ratio" in row else "-"])
    head = ["", "ms a step", "images a second", "share of the peak", "time / gan_jax's"]
    equal = work["equality"]
    difference = max(equal["d_loss"], equal["g_loss"])
    processes = (
        f"{work['processes']} processes of {work['rounds']} rounds"
        if "processes" in work
        else f"1 process, {work['rounds']} rounds"
    )
    facts = (
        f"{work['title']}. Config `{work['config']}`, batch {work['batch_size']}, {processes}. "
        f"{work['step_gflop']:.3g} GFLOP a step, matmul peak {work['peak']['gflops']:.0f} GFLOP/s. "
        f"Difference of the first losses {difference:.1e}, largest after ten steps {equal['after_10_steps']:.1e}.\n"
    )
    return f"## {name}\n\n{facts}\n{table(head, rows)}\n{notes(work)}{_origin(work)}"


def notes(work: dict) -> str:
    """Lines about the share of the single forward pass in gan_jax's lead, and about allocators that are not here."""
    lines = []
    for form, (separate, single) in share_of_single_pass(work["contenders"]).items():
        line = f"{form} takes {separate:.3g} times gan_jax's time, and {single:.3g} times with one forward pass of D"
        if single < separate and separate > 1:
            share = min((separate - single) / (separate - 1), 1)
            line += f": this pass is {share:.0%} of gan_jax's lead over that form"
        lines.append(f"- {line}.\n")
    if missing := work.get("not_installed"):
        lines.append(f"- Not tried, since not installed on this machine: {', '.join(missing)}.\n")
    return "".join(lines) + "\n" if lines else ""


def _convolutions(section: dict) -> str:
    first = section["rows"][0]["rates"]
    head = ["work", "layer", *(f"{label}, {name}" for name, part in first.items() for label in part)]
    rows = [
        [f"`{row['work']}`", row["layer"], *(f"{v:.0f}" for part in row["rates"].values() for v in part.values())]
        for row in section["rows"]
    ]
    return (
        f"## Single convolutions\n\nGFLOP/s at batch {section['batch']}, the fastest turn. With both gradients, the "
        "arithmetic is three times that of the forward pass. The sections of the works have the matmul peak.\n\n"
        + table(head, rows)
        + f"\n{_origin(section)}"
    )


def _cold_start(section: dict) -> str:
    rows = [
        [f"`{name}`", kind, _spread(values)]
        for name, kinds in section["seconds"].items()
        for kind, values in kinds.items()
    ]
    return (
        "## Cold start\n\nFrom the start of a command to the end of its first ten steps, in a fresh process, with "
        'imports and compilation. "Programs cached" is with JAX_COMPILATION_CACHE_DIR, filled by an earlier run.\n\n'
        + table(["work", "", "seconds"], rows)
        + f"\n{_origin(section)}"
    )


def _memory(section: dict) -> str:
    head, parts = ["batch", "temporaries, MiB", "state and batch, MiB", "results, MiB", "together, MiB"], []
    for batch, row in section["batches"].items():
        parts.append([batch, *(f"{row[part] / 2**20:.1f}" for part in ("temp", "argument", "output", "total"))])
    return (
        f"## Memory\n\nMemory that XLA plans for one compiled `{section['work']}` step. A straight line through the "
        f"totals: {section['bytes_per_image'] / 2**10:.0f} KiB per image plus "
        f"{section['bytes_besides'] / 2**20:.1f} MiB. In training the state is donated, so results reuse the memory of "
        "arguments.\n\n" + table(head, parts) + f"\n{_origin(section)}"
    )


def _seeds(section: dict) -> str:
    rows = [
        [f"{section['seeds']} seeds in one program (vmap)", _spread(section["together"])],
        [f"{section['seeds']} seeds in turn", _spread(section["in_turn"])],
        ["in turn / together", _spread(section["ratio"])],
    ]
    text = f"## Seeds\n\nTime of one `{section['work']}` step of all seeds.\n\n"
    return text + table(["", "ms"], rows) + f"\n{_origin(section)}"


_SECTIONS = {"convolutions": _convolutions, "cold_start": _cold_start, "memory": _memory, "seeds": _seeds}


def page(result: dict) -> str:
    """The page, with the sections that have been measured."""
    works = result.get("works", {})
    parts = [_INTRODUCTION] + ([_overview(works)] if works else [])
    parts += [_work(name, work) for name, work in works.items()]
    parts += [write(result[name]) for name, write in _SECTIONS.items() if name in result]
    return "\n".join([*parts, METHOD, ON_A_GPU])


def write_chart(path: pathlib.Path, works: dict[str, dict]) -> None:
    """Bars of ms per step with quartiles as whiskers. Each work has a panel, because the scales differ."""
    labels = list(dict.fromkeys(label for work in works.values() for label in work["contenders"]))
    width = max(0.8 * len(labels), 3.2) * len(works)
    figure, panels = plt.subplots(1, len(works), figsize=(max(width, 6.4), 3.6), squeeze=False, layout="constrained")
    colors = dict(zip(labels, plt.get_cmap("tab20").colors, strict=False))
    for panel, (name, work) in zip(panels[0], works.items(), strict=True):
        rows = {label: row["ms"] for label, row in work["contenders"].items() if "ms" in row}
        for position, (label, ms) in enumerate(rows.items()):
            whiskers = [[ms["median"] - ms["lower"]], [ms["upper"] - ms["median"]]]
            panel.bar(position, ms["median"], yerr=whiskers, capsize=4, color=colors[label])
            panel.text(position, ms["upper"], f"{ms['median']:.3g}", ha="center", va="bottom")
        panel.set_title(f"{name}, batch {work['batch_size']}")
        panel.set_xticks(range(len(rows)), [label.removeprefix("PyTorch ") for label in rows], rotation=30, ha="right")
        panel.margins(y=0.12)
    panels[0][0].set_ylabel("ms a training step (lower is better)")
    figure.suptitle(f"One D and one G update: {OURS} beside PyTorch, medians and quartiles")
    figure.savefig(path, dpi=120)
    plt.close(figure)
