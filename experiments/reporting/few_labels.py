"""References of templates to the results with few labels: a cell's networks, and the published errors.

A cell is one recipe with one number of labels: the file semi_supervised/CELL.json.
"""

import collections
import pathlib
from collections.abc import Callable

import numpy as np
from scipy import stats

from experiments.reporting.formats import p_text
from experiments.reporting.statistics import Mean, over_seeds
from gan_jax.system.files import read_table

PUBLISHED = "published_errors.json"


def _mean_text(mean: float, sd: float | None) -> str:
    """960.7 ± 462.8 as 961 ± 463, and 96.3 ± 9.2 as it is: one decimal for numbers below 200."""
    digits = 1 if mean < 200 else 0
    return f"{mean:,.{digits}f}" + ("" if sd is None else f" ± {sd:,.{digits}f}")


def _text(value: float) -> str:
    """No commas between thousands: lists have commas between numbers."""
    return str(value) if isinstance(value, int | str) else f"{value:.1f}"


def _mistake(row: dict) -> str:
    """The most frequent mistake; "-" for old records without this count."""
    if not row.get("confusions"):
        return "-"
    true, taken_for, count = row["confusions"][0]
    return f"{true} as {taken_for}: {count}"


def _field(row: dict, field: str):
    value = _mistake(row) if field == "mistake" else row[field]
    return value[0] if field == "frechet_distance" else value


class FewLabels:
    """folder: the folder of the cells' files."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self.kinds: dict[str, Callable[..., str]] = {
            "errors": self._errors,
            "welch": self._welch,
            "published": self._published,
            "each": lambda *arguments: ", ".join(self._values(*arguments)),
            "row": lambda *arguments: " | ".join(self._values(*arguments)),
        }

    def _read(self, name: str) -> dict:
        return read_table(self._folder / name, "restore it from git")

    def _by_subset(self, table: dict) -> dict[int, list[dict]]:
        """Label subset -> its networks. They have the same labels, so they are not independent of each other."""
        subsets = collections.defaultdict(list)
        for row in table["seeds"]:
            subsets[row["draw"]].append(row)
        return subsets

    def _mean(self, table: dict) -> Mean:
        """Over label subsets: of each, the mean test errors of its networks, collapsed ones too."""
        subsets = self._by_subset(table).values()
        return over_seeds([float(np.mean([row["test_errors"] for row in subset])) for subset in subsets])

    def _errors(self, cell: str, what: str = "") -> str:
        table = self._read(f"{cell}.json")
        if not what:
            return ", ".join(self._values(cell, "test_errors"))
        if what == "n":
            num_subsets = len(self._by_subset(table))
            return str(num_subsets) + (f" of {table['draws']}" if num_subsets < table["draws"] else "")
        if what == "collapsed":
            return f"{sum(row['status'] == 'collapsed' for row in table['seeds'])} of {len(table['seeds'])}"
        mean = {"mean": lambda: self._mean(table), "ensembles": lambda: over_seeds([*table["ensembles"].values()])}
        return _mean_text(mean[what]().mean, mean[what]().sd)

    def _welch(self, cell: str, labels: str) -> str:
        mean, published = self._mean(self._read(f"{cell}.json")), self._read(PUBLISHED)[labels]
        test = stats.ttest_ind_from_stats(
            mean.mean, mean.sd, mean.n, published["mean"], published["sd"], published["n"], equal_var=False
        )
        return p_text(float(test.pvalue))

    def _published(self, labels: str, of: str = "") -> str:
        published = self._read(PUBLISHED)[labels]
        published = published[of] if of else published
        return f"{published['mean']:,} ± {published['sd']:,}"

    def _values(self, cell: str, field: str, member: str = "") -> list[str]:
        """A field of every network, or of the member-th network (0 is the first) of each label subset."""
        table = self._read(f"{cell}.json")
        if field == "ensembles":
            return [_text(errors) for errors in table["ensembles"].values()]
        subsets = self._by_subset(table).values()
        rows = [subset[int(member)] for subset in subsets] if member else table["seeds"]
        return [_text(_field(row, field)) for row in rows]
