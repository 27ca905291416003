"""The page of the semi-supervised results: a table, the published rows beside it, and the curves."""

import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from experiments.semi_supervised.recipes import PUBLISHED, PUBLISHED_ENSEMBLES
from experiments.semi_supervised.results import SAMPLES, spread
from gan_jax.errors import UserError
from gan_jax.files import read_table, write_text

PAGE = "semi_supervised.md"
CURVES = "curves.png"
_GRIDS_A_ROW = 3


def _plus_minus(mean: float, deviation: float | None, digits: int = 1) -> str:
    return f"{mean:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")


def _name(table: dict) -> str:
    return table["recipe"] + ("" if table["dtype"] == "float32" else f", {table['dtype']}")


def _label(table: dict) -> str:
    """A cell of the experiment in pictures: its recipe and its number of labels."""
    return f"{_name(table)}, {table['num_labels'] or 'all'} labels"


def _row(table: dict) -> list[str]:
    """A recipe with so many labels: errors over the first network of each draw, and of all of them."""
    seeds = table["seeds"]
    of = lambda name: [record[name] for record in seeds]  # noqa: E731
    ensembles = list(table["ensembles"].values())
    distances = [distance for record in seeds for distance in record["frechet_distance"]]
    ended = {record["status"] for record in seeds}
    return [
        _name(table) + ("" if ended == {"completed"} else f" ({', '.join(sorted(ended))})"),
        str(table["num_labels"] or "all"),
        str(len(seeds)),
        _plus_minus(*spread(of("test_errors"))),
        ", ".join(map(str, of("test_errors"))),
        _plus_minus(*spread(of("test_errors_raw"))),
        _plus_minus(*spread([100 * r["validation_errors"] / r["num_validation"] for r in seeds]), digits=2) + "%",
        _plus_minus(*spread(ensembles)) if ensembles else "-",
        _plus_minus(*spread(distances)) if distances else "-",
        f"{spread(of('epochs'))[0]:.0f}",
        f"{spread(of('seconds'))[0] / 60:.0f}",
    ]


def _published(num_labels: int) -> list[str]:
    mean, deviation = PUBLISHED[num_labels]
    ensemble = _plus_minus(*PUBLISHED_ENSEMBLES[num_labels])
    return ["published", str(num_labels), "10", _plus_minus(mean, deviation), "", "", "", ensemble, "", "300", ""]


_HEADINGS = (
    *("recipe", "labels", "n", "errors", "each", "not averaged", "held out", "ensembles", "Frechet distance"),
    *("epochs", "minutes"),
)


def _note(tables: list[dict]) -> str:
    """What the numbers are of."""
    seeds = [record for table in tables for record in table["seeds"]]
    first = seeds[0]["provenance"]
    commits = ", ".join(sorted({record["provenance"]["commit"][:12] for record in seeds}))
    return (
        f"Errors of {seeds[0]['num_test']} test images of {first['data']['used']} by the averaged discriminator at the "
        f"last step, mean ± standard deviation over n networks, each with a draw of the labels of its own (seeds 0 to "
        f"n - 1); the test images were scored once, after training. Held out: share of wrong classes among "
        f"{seeds[0]['num_validation']} training images that no network has learned from; that is what choosing was "
        f"for. Frechet distance: of G's images at the last step to those held-out ones, in the features of a "
        f"classifier that learned from all labels; it judges samples, lower is better, and so few images make it "
        f"larger than the ablations' is. Minutes are wall time, beside other work. {first['device']['kind']}, jax "
        f"{first['versions']['jax']}, trained at commit {commits}. Published: arXiv 1606.03498, table 1."
    )


def _titles(tables: list[dict]) -> list[str]:
    found = {table["recipe"]: table for table in tables}
    changes = {name: " ".join(f"`{k}={v}`" for k, v in table["changes"].items()) for name, table in found.items()}
    return [
        f"- **{name}**: {table['title']} (`{table['config']}`{' with ' if changes[name] else ''}{changes[name]})"
        for name, table in sorted(found.items())
    ]


def _draw(tables: list[dict], path: pathlib.Path) -> None:
    """Held-out error over the epochs, a line a network and a colour a recipe with so many labels."""
    figure, axes = plt.subplots(figsize=(8, 4.5 + 0.1 * len(tables)), layout="constrained")
    for index, table in enumerate(tables):
        for position, record in enumerate(record for record in table["seeds"] if record["curve"]):
            epochs, errors = zip(*record["curve"], strict=True)
            label = _label(table) if position == 0 else None
            # On a logarithmic axis an error of 0 has no place: half an image stands for it.
            shown = [100 * max(error, 0.5 / record["num_validation"]) for error in errors]
            axes.plot(epochs, shown, color=f"C{index % 10}", linestyle=("-", "--")[index // 10 % 2], label=label)
    axes.set(xlabel="epoch", ylabel="held-out error, %", yscale="log")
    for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        ticks("{x:g}")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside lower center", fontsize="small", ncols=2)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def _grids(tables: list[dict], folder: pathlib.Path) -> str:
    """Samples side by side, a table of as many rows as it takes; "" where no cell has any."""
    shown = [table for table in tables if (folder / SAMPLES / f"{table['cell']}.png").is_file()]
    cells = [f"![{_name(table)}]({SAMPLES}/{table['cell']}.png)<br>{_label(table)}" for table in shown]
    cells += [""] * (-len(cells) % _GRIDS_A_ROW)
    rows = [cells[i : i + _GRIDS_A_ROW] for i in range(0, len(cells), _GRIDS_A_ROW)]
    if not rows:
        return ""
    head = ["| " * _GRIDS_A_ROW + "|", "|" + "---|" * _GRIDS_A_ROW]
    return "\n".join(head + ["| " + " | ".join(row) + " |" for row in rows])


def write(folder: pathlib.Path) -> None:
    """Rewrites the page and the curves from every result in the folder; nothing where there is none."""
    paths = sorted(folder.glob("*@labels-*.json"))
    tables = [read_table(path, "remove it") | {"cell": path.stem} for path in paths]
    if not tables:
        return
    used = sorted({record["provenance"]["data"]["used"] for table in tables for record in table["seeds"]})
    if len(used) > 1:
        raise UserError(
            f"--output={folder} would hold results of {' and '.join(used)}; choose another folder for these"
        )
    tables.sort(key=lambda table: (table["num_labels"] or 10**9, _name(table)))
    rows = []
    for number in dict.fromkeys(table["num_labels"] for table in tables):
        rows += [_row(table) for table in tables if table["num_labels"] == number]
        rows += [_published(number)] if number in PUBLISHED else []
    lines = ["| " + " | ".join(_HEADINGS) + " |", "|" + "---|" * len(_HEADINGS)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    scored = any(record["curve"] for table in tables for record in table["seeds"])
    parts = [
        f"# Few labels: {used[0]}",
        "\n".join(lines),
        _note(tables),
        "\n".join(_titles(tables)),
    ]
    if scored:
        _draw(tables, folder / CURVES)
        parts.append(f"![held-out error]({CURVES})")
    if grids := _grids(tables, folder):
        parts.append(f"## Samples\n\nAt the last step, of the first draw of the labels.\n\n{grids}")
    write_text(folder / PAGE, "\n\n".join(parts) + "\n")
