"""The tables of the semi-supervised results: recipes beside the published errors, and one change at a time."""

from experiments.reporting import markdown
from experiments.semi_supervised import recipes
from experiments.semi_supervised.results import counted, spread

# Errors of 10,000 test images, mean and standard deviation over so many draws of the labels: arXiv 1606.03498, table 1.
PUBLISHED_DRAWS = 10
PUBLISHED = {20: (1677, 452), 50: (221, 136), 100: (93, 6.5), 200: (90, 4.2)}
PUBLISHED_ENSEMBLES = {20: (1134, 445), 50: (142, 96), 100: (86, 5.6), 200: (81, 4.3)}
_FIRST = ("recipe", "labels", "n", "errors", "each")
_OF_RECIPES = ("most frequent mistake of each", "not averaged", "ensembles")
_OF_CHANGES = ("against the base", "held out, against it")
_LAST = ("held out", "of training images", "Frechet distance", "epochs", "minutes")


def devices(table: dict) -> tuple[str, ...]:
    """What its networks were trained on."""
    return tuple(sorted({record["provenance"]["device"]["kind"] for record in table["seeds"]}))


def name(table: dict) -> str:
    """A recipe, its arithmetic where that is not float32, and its device where that is no CPU."""
    arithmetic = [] if table["dtype"] == "float32" else [table["dtype"]]
    return ", ".join([table["recipe"], *arithmetic, *(kind for kind in devices(table) if kind != "cpu")])


def label(table: dict) -> str:
    """A cell of the experiment in pictures: its recipe and its number of labels."""
    return f"{name(table)}, {table['num_labels'] or 'all'} labels"


def base_of(table: dict) -> str:
    """The recipe that a table's recipe changes; "" where it stands for itself, or is no longer known."""
    return recipes.base_of(table["recipe"])


def is_beside_published(table: dict) -> bool:
    """Whether it stands for itself, or has the draws of the published figures."""
    return not base_of(table) or len({record["draw"] for record in table["seeds"]}) >= PUBLISHED_DRAWS


def _plus_minus(mean: float, deviation: float | None, digits: int = 1, sign: str = "") -> str:
    return f"{mean:{sign}.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")


def _percent(record: dict, split: str = "validation") -> float:
    return 100 * record[f"{split}_errors"] / record[f"num_{split}"]


def _of_training_images(records: list[dict]) -> str:
    """The share of them that is wrong; records of before they were counted have none."""
    shares = [_percent(record, "train") for record in records if "train_errors" in record]
    return _plus_minus(*spread(shares), digits=2) + "%" if shares else "-"


def _number(records: list[dict], of: int) -> str:
    """How many of so many, which where they are not the first ones, and of how many draws where some share theirs."""
    seeds, draws = [record["seed"] for record in records], len({record["draw"] for record in records})
    which = "" if seeds == list(range(len(seeds))) else f" (seed {', '.join(map(str, seeds))})"
    shared = f", {draws} draw{'s' if draws > 1 else ''}" if draws < len(seeds) else ""
    return str(len(seeds)) + (f" of {of}" if of > len(seeds) else "") + which + shared


def _each(records: list[dict], left_out: list[dict]) -> str:
    """The errors of every network, those outside of the mean last: 97, 84; collapsed: 1111."""
    texts = [", ".join(str(record["test_errors"]) for record in records)]
    return "; ".join(texts + [f"{record['status']}: {record['test_errors']}" for record in left_out])


def _mistake(record: dict) -> str:
    """The most frequent one; records of before they were counted have none."""
    if not record.get("confusions"):
        return "-"
    true, taken_for, count = record["confusions"][0]
    return f"{true} as {taken_for}: {count}"


def _row(table: dict) -> dict[str, str]:
    """A recipe with so many labels: mean and standard deviation over its networks, under every heading but a base's."""
    seeds = counted(table["seeds"])
    left_out = [record for record in table["seeds"] if record not in seeds]
    of = lambda what: [record[what] for record in seeds]  # noqa: E731
    ensembles = list(table["ensembles"].values())
    distances = [distance for record in seeds for distance in record["frechet_distance"]]
    ended = {record["status"] for record in seeds}
    return {
        "recipe": name(table) + ("" if ended == {"completed"} else f" ({', '.join(sorted(ended))})"),
        "labels": str(table["num_labels"] or "all"),
        "n": _number(seeds, len(table["seeds"])),
        "errors": _plus_minus(*spread(of("test_errors"))),
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


def _published(num_labels: int) -> dict[str, str]:
    return {
        "recipe": "published",
        "labels": str(num_labels),
        "n": str(PUBLISHED_DRAWS),
        "errors": _plus_minus(*PUBLISHED[num_labels]),
        "epochs": "300",
        "ensembles": _plus_minus(*PUBLISHED_ENSEMBLES[num_labels]),
    }


def _differences(table: dict, base: dict) -> dict[str, str]:
    """A change against its base over the seeds that both have, each pair with the same labels."""
    own, other = ({record["seed"]: record for record in counted(of["seeds"])} for of in (table, base))
    pairs = [(own[seed], other[seed]) for seed in sorted(own.keys() & other.keys())]
    if not pairs:
        return {}
    errors = [changed["test_errors"] - unchanged["test_errors"] for changed, unchanged in pairs]
    held_out = [_percent(changed) - _percent(unchanged) for changed, unchanged in pairs]
    texts = _plus_minus(*spread(errors), sign="+"), _plus_minus(*spread(held_out), sign="+") + " points"
    return dict(zip(_OF_CHANGES, texts, strict=True))


def _written(headings: tuple[str, ...], rows: list[dict[str, str]]) -> str:
    return markdown.table(headings, [[row.get(heading, "") for heading in headings] for row in rows])


def recipes_table(tables: list[dict]) -> str:
    """A row each, and after those with as many labels the published one."""
    rows = []
    for number in dict.fromkeys(table["num_labels"] for table in tables):
        rows += [_row(table) for table in tables if table["num_labels"] == number]
        rows += [_published(number)] if number in PUBLISHED else []
    return _written(_FIRST + _OF_RECIPES + _LAST, rows)


def changes_table(changed: list[dict], bases: list[dict]) -> str:
    """The bases, and each change with its difference to the base of the same arithmetic, device and labels."""

    def kind(table):
        return table["dtype"], devices(table), table["num_labels"]

    alike = {kind(table): table for table in bases}
    rows = list(map(_row, bases))
    for table in sorted(changed, key=lambda table: spread([r["test_errors"] for r in counted(table["seeds"])])[0]):
        base = alike.get(kind(table))
        rows.append(_row(table) | (_differences(table, base) if base else {}))
    return _written(_FIRST + _OF_CHANGES + _LAST, rows)
