"""The tables of the semi-supervised results: recipes beside the published errors, and one change at a time."""

import collections
import pathlib

from experiments.reporting import markdown
from experiments.semi_supervised import recipes
from experiments.semi_supervised.results import counted, spread
from gan_jax.system.files import read_table

PUBLISHED = pathlib.Path(__file__).parents[1] / "results/semi_supervised/published_errors.json"
PUBLISHED_DRAWS = 10
_FIRST = ("recipe", "labels", "n", "errors", "each")
_OF_RECIPES = ("most frequent mistake of each", "not averaged", "ensembles")
_OF_CHANGES = ("against the base", "held out, against it")
_LAST = ("held out", "of training images", "Frechet distance", "epochs", "minutes")


def devices(table: dict) -> tuple[str, ...]:
    """The devices on which the networks were trained."""
    return tuple(sorted({record["provenance"]["device"]["kind"] for record in table["seeds"]}))


def name(table: dict) -> str:
    """The recipe, its dtype if that is not float32, and its devices that are no CPU."""
    dtype = [] if table["dtype"] == "float32" else [table["dtype"]]
    return ", ".join([table["recipe"], *dtype, *(kind for kind in devices(table) if kind != "cpu")])


def label(table: dict) -> str:
    """The label of a cell in pictures: its recipe and its number of labels."""
    return f"{name(table)}, {table['num_labels'] or 'all'} labels"


def base_of(table: dict) -> str:
    """The recipe that a table's recipe changes; "" if there is none, or if it is no longer known."""
    return recipes.base_of(table["recipe"])


def is_beside_published(table: dict) -> bool:
    """Whether a recipe has no base, or was trained on as many draws as the published figures."""
    return not base_of(table) or len({record["draw"] for record in table["seeds"]}) >= PUBLISHED_DRAWS


def _plus_minus(mean: float, deviation: float | None, digits: int = 1, sign: str = "") -> str:
    return f"{mean:{sign}.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")


def _percent(record: dict, split: str = "validation") -> float:
    return 100 * record[f"{split}_errors"] / record[f"num_{split}"]


def _of_training_images(records: list[dict]) -> str:
    """The share of training images with a wrong class; "-" for old records without this count."""
    shares = [_percent(record, "train") for record in records if "train_errors" in record]
    return _plus_minus(*spread(shares), digits=2) + "%" if shares else "-"


def _number(records: list[dict], of: int) -> str:
    """The cell "n": the number of networks.

    With it, if needed: the number of all networks, the seeds if they are not the first ones, and the number of draws if
    several networks have the same draw.
    """
    seeds, draws = [record["seed"] for record in records], len({record["draw"] for record in records})
    which = "" if seeds == list(range(len(seeds))) else f" (seed {', '.join(map(str, seeds))})"
    shared = f", {draws} draw{'s' if draws > 1 else ''}" if draws < len(seeds) else ""
    return str(len(seeds)) + (f" of {of}" if of > len(seeds) else "") + which + shared


def _errors(seeds: list[dict], records: list[dict]) -> str:
    """The mean of the networks that count; if some of all records ended otherwise, how many, and the mean of all."""
    text = _plus_minus(*spread([record["test_errors"] for record in seeds]))
    ended = collections.Counter(record["status"] for record in records if record["status"] != "completed")
    notes = [f"{count} of {len(records)} {status}" for status, count in sorted(ended.items())]
    if len(seeds) < len(records):
        notes.append(f"all: {_plus_minus(*spread([record['test_errors'] for record in records]))}")
    return text + (f" ({'; '.join(notes)})" if notes else "")


def _each(records: list[dict], left_out: list[dict]) -> str:
    """The errors of every network, those that are not in the mean last: 97, 84; collapsed: 1111."""
    texts = [", ".join(str(record["test_errors"]) for record in records)]
    return "; ".join(texts + [f"{record['status']}: {record['test_errors']}" for record in left_out])


def _mistake(record: dict) -> str:
    """The most frequent mistake; "-" for old records without this count."""
    if not record.get("confusions"):
        return "-"
    true, taken_for, count = record["confusions"][0]
    return f"{true} as {taken_for}: {count}"


def _row(table: dict) -> dict[str, str]:
    """heading -> cell of one recipe and number of labels, without the columns that compare it with a base."""
    seeds = counted(table["seeds"])
    left_out = [record for record in table["seeds"] if record not in seeds]
    of = lambda key: [record[key] for record in seeds]  # noqa: E731
    ensembles = list(table["ensembles"].values())
    distances = [distance for record in seeds for distance in record["frechet_distance"]]
    ended = {record["status"] for record in seeds}
    return {
        "recipe": name(table) + ("" if ended == {"completed"} else f" ({', '.join(sorted(ended))})"),
        "labels": str(table["num_labels"] or "all"),
        "n": _number(seeds, len(table["seeds"])),
        "errors": _errors(seeds, table["seeds"]),
        "each": _each(seeds, left_out),
        "held out": _plus_minus(*spread(list(map(_percent, seeds))), digits=2) + "%",
        "of training images": _of_training_images(seeds),
        "Frechet distance": _plus_minus(*spread(distances)) if distances else "-",
        "epochs": f"{spread(of('epochs'))[0]:.0f}",
        "minutes": f"{spread(of('seconds'))[0] / 60:.0f}",
        "most frequent mistake of each": "; ".join(map(_mistake, seeds)),
        "not averaged": _plus_minus(*spread(of("test_errors_raw"))),
        "ensembles": _plus_minus(*spread(ensembles)) if ensembles else "-",
    }


def _published(num_labels: int) -> list[dict[str, str]]:
    """The published row, if there is one for this number of labels."""
    published = read_table(PUBLISHED, "restore it from git").get(str(num_labels))
    if not published:
        return []
    row = {
        "recipe": "published",
        "labels": str(num_labels),
        "n": str(published["n"]),
        "errors": _plus_minus(published["mean"], published["sd"]),
        "epochs": "300",
        "ensembles": _plus_minus(published["ensembles"]["mean"], published["ensembles"]["sd"]),
    }
    return [row]


def _differences(table: dict, base: dict) -> dict[str, str]:
    """A change against its base over the seeds that both have. The two networks of a pair have the same labels."""
    of_table, of_base = ({record["seed"]: record for record in counted(side["seeds"])} for side in (table, base))
    pairs = [(of_table[seed], of_base[seed]) for seed in sorted(of_table.keys() & of_base.keys())]
    if not pairs:
        return {}
    errors = [changed["test_errors"] - unchanged["test_errors"] for changed, unchanged in pairs]
    held_out = [_percent(changed) - _percent(unchanged) for changed, unchanged in pairs]
    texts = _plus_minus(*spread(errors), sign="+"), _plus_minus(*spread(held_out), sign="+") + " points"
    return dict(zip(_OF_CHANGES, texts, strict=True))


def _markdown_table(headings: tuple[str, ...], rows: list[dict[str, str]]) -> str:
    return markdown.table(headings, [[row.get(heading, "") for heading in headings] for row in rows])


def recipes_table(tables: list[dict]) -> str:
    """One row per result; after the results with the same number of labels, the published row if there is one."""
    rows = []
    for number in dict.fromkeys(table["num_labels"] for table in tables):
        rows += [_row(table) for table in tables if table["num_labels"] == number]
        rows += _published(number)
    return _markdown_table(_FIRST + _OF_RECIPES + _LAST, rows)


def changes_table(changed: list[dict], bases: list[dict]) -> str:
    """The bases, and each change with its difference from the base with the same dtype, devices and labels."""

    def kind(table):
        return table["dtype"], devices(table), table["num_labels"]

    base_of_kind = {kind(table): table for table in bases}
    rows = list(map(_row, bases))
    for table in sorted(changed, key=lambda table: spread([r["test_errors"] for r in counted(table["seeds"])])[0]):
        base = base_of_kind.get(kind(table))
        rows.append(_row(table) | (_differences(table, base) if base else {}))
    return _markdown_table(_FIRST + _OF_CHANGES + _LAST, rows)
