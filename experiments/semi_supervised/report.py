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
# Pictures of a kind: their heading, what they show, and how many stand side by side.
_PICTURES = {
    SAMPLES: ("Samples", "At the last step, of the first draw of the labels.", 3),
    MISTAKES: (
        "Mistakes",
        "Test images that the network with the most errors takes for another class, the most frequent mistake first.",
        1,
    ),
}


def _note(tables: list[dict]) -> str:
    """What the numbers are of."""
    seeds = [record for table in tables for record in table["seeds"]]
    first = seeds[0]["provenance"]
    kinds = ", ".join(sorted({kind for table in tables for kind in devices(table)}))
    versions = ", ".join(sorted({record["provenance"]["versions"]["jax"] for record in seeds}))
    commits = ", ".join(sorted({markdown.commit(record["provenance"]["commit"]) for record in seeds}))
    return (
        f"Errors of {seeds[0]['num_test']} test images of {first['data']['used']} by the averaged discriminator at the "
        f"last step, mean ± standard deviation over n networks, each with a draw of the labels of its own (seeds 0 to "
        f"n - 1 unless said), without those whose images became one, whose errors are told apart; the test images were "
        f"scored once, after training. Held out: share of wrong classes among "
        f"{seeds[0]['num_validation']} training images that no network has learned from; that is what choosing was "
        f"for. Of training images: the same of all that it learned from, by their true labels, which it did not "
        f"have and which decided nothing. Frechet distance: of G's images at the last step to those held-out ones, in "
        f"the features of a classifier that learned from all labels; it judges samples, lower is better, and so few "
        f"images make it larger than the ablations' is. Minutes are wall time, beside other work. Devices: {kinds} "
        f"(cpu where none is named); jax {versions}; trained at commit {commits}. Published: arXiv 1606.03498, table 1."
    )


def _titles(tables: list[dict]) -> list[str]:
    lines = []
    for recipe, table in sorted({table["recipe"]: table for table in tables}.items()):
        changes = " ".join(f"`{leaf}={value}`" for leaf, value in table["changes"].items())
        lines.append(f"- **{recipe}**: {table['title']} (`{table['config']}`{changes and f' with {changes}'})")
    return lines


def _draw(tables: list[dict], path: pathlib.Path) -> None:
    """Held-out error over the epochs, a line a network and a colour a recipe with so many labels."""
    figure, axes = plt.subplots(figsize=(8, 4.5 + 0.1 * len(tables)), layout="constrained")
    for index, table in enumerate(tables):
        for position, record in enumerate(record for record in table["seeds"] if record["curve"]):
            epochs, errors = zip(*record["curve"], strict=True)
            named = label(table) if position == 0 else None
            # On a logarithmic axis an error of 0 has no place: half an image stands for it.
            shown = [100 * max(error, 0.5 / record["num_validation"]) for error in errors]
            axes.plot(epochs, shown, color=f"C{index % 10}", linestyle=("-", "--")[index // 10 % 2], label=named)
    axes.set(xlabel="epoch", ylabel="held-out error, %", yscale="log")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5)))
    for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        ticks("{x:g}")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside lower center", fontsize="small", ncols=2)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def _grids(tables: list[dict], folder: pathlib.Path, kind: str, columns: int) -> str:
    """Pictures of the cells side by side, a table of as many rows as it takes; "" where no cell has any."""
    shown = [table for table in tables if (folder / kind / f"{table['cell']}.png").is_file()]
    cells = [f"![{name(table)}]({kind}/{table['cell']}.png)<br>{label(table)}" for table in shown]
    cells += [""] * (-len(cells) % columns)
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    return markdown.table([""] * columns, rows) if rows else ""


def _read(folder: pathlib.Path) -> list[dict]:
    """Every result, those with the fewest labels first."""
    paths = sorted(folder.glob("*@labels-*.json"))
    tables = [read_table(path, "remove it") | {"cell": path.stem} for path in paths]
    used = sorted({record["provenance"]["data"]["used"] for table in tables for record in table["seeds"]})
    if len(used) > 1:
        raise UserError(
            f"--output={folder} would hold results of {' and '.join(used)}; choose another folder for these"
        )
    return sorted(tables, key=lambda table: (table["num_labels"] or 10**9, name(table)))


def _curves(tables: list[dict], folder: pathlib.Path, suffix: str = "") -> list[str]:
    """The picture's line of the page, none where nothing was scored while it trained."""
    if not any(record["curve"] for table in tables for record in table["seeds"]):
        return []
    _draw(tables, folder / f"{CURVES}{suffix}.png")
    return [f"![held-out error]({CURVES}{suffix}.png)"]


def write(folder: pathlib.Path) -> None:
    """Rewrites the page and the curves from every result in the folder; nothing where there is none."""
    tables = _read(folder)
    if not tables:
        return
    whole = [table for table in tables if not base_of(table)]
    parts = [f"# Few labels: {tables[0]['seeds'][0]['provenance']['data']['used']}", _note(tables)]
    if beside := list(filter(is_beside_published, tables)):
        parts += ["## Beside the published errors", recipes_table(beside), *_curves(whole, folder)]
    for base in sorted({base_of(table) for table in tables} - {""}):
        changed = [table for table in tables if base_of(table) == base]
        unchanged = [table for table in whole if table["recipe"] == base]
        parts += [f"## One change to {base}", changes_table(changed, unchanged)]
        parts += _curves(unchanged + changed, folder, f"-{base}")
    parts += ["## Recipes", "\n".join(_titles(tables))]
    for kind, (heading, what, columns) in _PICTURES.items():
        if grids := _grids(tables, folder, kind, columns):
            parts.append(f"## {heading}\n\n{what}\n\n{grids}")
    write_text(folder / PAGE, "\n\n".join(parts) + "\n")
