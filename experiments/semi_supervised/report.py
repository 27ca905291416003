"""The page of the semi-supervised results: tables, curves and samples."""

import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator

from experiments.reporting import markdown
from experiments.semi_supervised.results import MISTAKES, SAMPLES
from experiments.semi_supervised.tables import (
    base_of,
    changes_table,
    devices,
    is_beside_published,
    label,
    name,
    recipes_table,
)
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table, write_text

PAGE = "semi_supervised.md"
CURVES = "curves"
# kind of picture -> (heading, description, columns)
_PICTURES = {
    SAMPLES: ("Samples", "At the last step, with the first label subset.", 3),
    MISTAKES: (
        "Mistakes",
        "Test images that the network with the most errors classifies wrongly, the most frequent mistake first.",
        1,
    ),
}


def _note(tables: list[dict]) -> str:
    """The paragraph that describes the numbers of the tables."""
    seeds = [record for table in tables for record in table["seeds"]]
    first = seeds[0]["provenance"]
    kinds = ", ".join(sorted({kind for table in tables for kind in devices(table)}))
    versions = ", ".join(sorted({record["provenance"]["versions"]["jax"] for record in seeds}))
    commits = ", ".join(sorted({markdown.commit(record["provenance"]["commit"]) for record in seeds}))
    return (
        f"Errors: wrong classes of {seeds[0]['num_test']} test images of {first['data']['used']} by the EMA of the "
        f"discriminator at the last step, mean ± standard deviation over n networks, each with its own label subset "
        f"(seeds 0 to n - 1) unless the cell n says otherwise. The mean is without collapsed networks; the same cell "
        f"says how many these are, and the mean of all. The other columns are without them. A collapsed network is "
        f"scored at its last checkpoint. The test images were scored once, after training. Held out: share of wrong "
        f"classes among {seeds[0]['num_validation']} training images that no network was trained on. Of training "
        f"images: the share of wrong classes among all training images, by their true labels, which training does not "
        f"use. A difference from the base is the mean over the seeds that both have, with its standard deviation over "
        f"them; without ± it is one run each. Frechet distance: between G's images at the last step and the held-out "
        f"images, in the features of a classifier that was trained on all labels; lower is better. It is computed from "
        f"so few images that it is larger than in the ablations. Minutes are wall time; other programs ran at the same "
        f"time. Devices: {kinds} (cpu where none is named); jax {versions}; trained at commit {commits}. Published: "
        f"arXiv 1606.03498, table 1."
    )


def _titles(tables: list[dict]) -> list[str]:
    lines = []
    for recipe, table in sorted({table["recipe"]: table for table in tables}.items()):
        changes = " ".join(f"`{leaf}={value}`" for leaf, value in table["changes"].items())
        lines.append(f"- **{recipe}**: {table['title']} (`{table['config']}`{changes and f' with {changes}'})")
    return lines


def _draw(tables: list[dict], path: pathlib.Path) -> None:
    """Plots the held-out error over the epochs: one line per network, one colour per recipe and number of labels."""
    figure, axes = plt.subplots(figsize=(8, 4.5 + 0.1 * len(tables)), layout="constrained")
    for index, table in enumerate(tables):
        for position, record in enumerate(record for record in table["seeds"] if record["curve"]):
            epochs, errors = zip(*record["curve"], strict=True)
            legend_label = label(table) if position == 0 else None
            # A logarithmic axis cannot show an error of 0, so half an image is drawn instead.
            shown = [100 * max(error, 0.5 / record["num_validation"]) for error in errors]
            axes.plot(epochs, shown, color=f"C{index % 10}", linestyle=("-", "--")[index // 10 % 2], label=legend_label)
    axes.set(xlabel="epoch", ylabel="held-out error, %", yscale="log")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5)))
    for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        ticks("{x:g}")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside lower center", fontsize="small", ncols=2)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def _grids(tables: list[dict], folder: pathlib.Path, kind: str, columns: int) -> str:
    """A Markdown table of the cells' pictures; "" if no cell has one."""
    shown = [table for table in tables if (folder / kind / f"{table['cell']}.png").is_file()]
    cells = [f"![{name(table)}]({kind}/{table['cell']}.png)<br>{label(table)}" for table in shown]
    cells += [""] * (-len(cells) % columns)
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    return markdown.table([""] * columns, rows) if rows else ""


def _read(folder: pathlib.Path) -> list[dict]:
    """Every result, the fewest labels first; UserError if the results are of different data sets."""
    paths = sorted(folder.glob("*@labels-*.json"))
    tables = [read_table(path, "remove it") | {"cell": path.stem} for path in paths]
    used = sorted({record["provenance"]["data"]["used"] for table in tables for record in table["seeds"]})
    if len(used) > 1:
        raise UserError(
            f"--output={folder} would hold results of {' and '.join(used)}; choose another folder for these"
        )
    return sorted(tables, key=lambda table: (table["num_labels"] or 10**9, name(table)))


def _curves(tables: list[dict], folder: pathlib.Path, suffix: str = "") -> list[str]:
    """Draws the curves; returns the page's line for the picture, [] if nothing was scored during training."""
    if not any(record["curve"] for table in tables for record in table["seeds"]):
        return []
    _draw(tables, folder / f"{CURVES}{suffix}.png")
    return [f"![held-out error]({CURVES}{suffix}.png)"]


def write(folder: pathlib.Path) -> None:
    """Writes the page and the curves from every result in the folder; writes nothing if there is no result."""
    tables = _read(folder)
    if not tables:
        return
    without_base = [table for table in tables if not base_of(table)]
    parts = [f"# Few labels: {tables[0]['seeds'][0]['provenance']['data']['used']}", _note(tables)]
    if beside := list(filter(is_beside_published, tables)):
        parts += ["## Beside the published errors", recipes_table(beside), *_curves(without_base, folder)]
    for base in sorted({base_of(table) for table in tables} - {""}):
        changed = [table for table in tables if base_of(table) == base]
        unchanged = [table for table in without_base if table["recipe"] == base]
        parts += [f"## One change to {base}", changes_table(changed, unchanged)]
        parts += _curves(unchanged + changed, folder, f"-{base}")
    parts += ["## Recipes", "\n".join(_titles(tables))]
    for kind, (heading, description, columns) in _PICTURES.items():
        if grids := _grids(tables, folder, kind, columns):
            parts.append(f"## {heading}\n\n{description}\n\n{grids}")
    write_text(folder / PAGE, "\n\n".join(parts) + "\n")
