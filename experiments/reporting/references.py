"""Numbers in prose come from records: a page NAME.md is written from its template NAME.in.md.

In a template, {{...}} stands for a number of a record:

    {{mean beta1@tuned 0.9}}                 mean over seeds of an arm's Frechet distance; or of a named metric:
    {{mean beta1@tuned 0.9 recall}}          any metric of measures.py; sd, low and high work in the same way
    {{factor beta1@tuned 0.9}}               the arm's Frechet distance over that of the study's baseline
    {{points beta1@tuned 0.9}}               the difference in conditional accuracy, in points
    {{interval beta1@tuned 0.9}}             its simultaneous interval; p and state work in the same way
    {{claims tuned not_measured}}            number of claims with this verdict on this base
    {{errors long@labels-100}}               test errors of every network of a semi-supervised cell, collapsed ones too
    {{errors long@labels-100 mean}}          their mean and standard deviation over label subsets
    {{welch long@labels-100 100}}            p-value of Welch's test against the published errors with so many labels
    {{record FILE PATH FORMAT}}              one number of a JSON file in experiments/results; PATH is keys with slashes

A number that has no record has no place on such a page. `bare_numbers` finds those that were typed.
"""

import collections
import functools
import pathlib
import re
from collections.abc import Callable

import numpy as np
from scipy import stats

from experiments.reporting import claims_list, measures
from experiments.reporting.families import Findings, find
from experiments.reporting.findings import Contrast, Finding, state
from experiments.reporting.formats import format_difference, format_interval, format_value, p_text
from experiments.reporting.measures import METRICS
from experiments.reporting.results import Study, read
from experiments.reporting.statistics import over_seeds
from experiments.reporting.verdicts import contrasts_of_claims, evaluate_claims
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table

RESULTS = pathlib.Path("experiments/results")
DISTANCE, ACCURACY = "frechet_distance", "conditional_accuracy"
_REFERENCE = re.compile(r"\{\{([^{}]+)\}\}")
# What is no result: code, links, arXiv numbers, headings' dates, list numbers and figures of a definition.
_NOT_RESULTS = re.compile(
    r"```.*?```|^ {4}.*?$|`[^`]*`|\]\([^)]*\)|arXiv \d+\.\d+|https?:\S+|\d{4}-\d\d-\d\d", re.S | re.M
)
_NUMBER = re.compile(r"\d+\.\d+|\d+ ?%|\d ?±|± ?\d|(?<![\w.])[+-]\d")


class References:
    """Resolves the references of templates. The records are read when the first reference needs them."""

    def __init__(self, folder: pathlib.Path = RESULTS):
        self._folder = folder

    @functools.cached_property
    def _studies(self) -> dict[str, Study]:
        return {study.title: study for study in read(self._folder / "ablations")}

    @functools.cached_property
    def _findings(self) -> Findings:
        studies = list(self._studies.values())
        return find(studies, contrasts_of_claims(claims_list.CLAIMS, studies))

    @functools.cached_property
    def _claims(self) -> collections.Counter:
        results = evaluate_claims(claims_list.CLAIMS, list(self._studies.values()), self._findings)
        return collections.Counter((result.base, result.verdict) for result in results)

    def _values(self, title: str, arm: str, metric: str) -> list[float]:
        values = list(measures.values(self._studies[title], arm, metric).values())
        if not values:
            raise KeyError(arm)
        return values

    def _finding(self, title: str, arm: str, metric: str) -> Finding:
        return self._findings[title][Contrast(arm, self._studies[title].baseline, metric)]

    def _of_values(self, what: str, title: str, arm: str, metric: str = DISTANCE) -> str:
        values = self._values(title, arm, metric)
        number = {"mean": over_seeds(values).mean, "sd": over_seeds(values).sd, "low": min(values), "high": max(values)}
        return format_value(number[what], METRICS[metric].kind)

    def _of_finding(self, what: str, title: str, arm: str, metric: str = DISTANCE) -> str:
        finding = self._finding(title, arm, ACCURACY if what == "points" else metric)
        texts: dict[str, Callable] = {
            "factor": lambda: format_difference(finding.estimate.difference, finding.metric),
            "points": lambda: format_difference(finding.estimate.difference, finding.metric),
            "interval": lambda: format_interval(finding.interval, finding.metric),
            "p": lambda: p_text(finding.p),
            "state": lambda: state(finding),
        }
        return texts[what]()

    def _of_record(self, name: str, path: str, form: str = "") -> str:
        value = read_table(self._folder / name, "run its command again")
        for key in path.split("/"):
            value = value[int(key)] if isinstance(value, list) else value[key]
        return format(value, form)

    def _errors(self, cell: str) -> list[dict]:
        return read_table(self._folder / "semi_supervised" / f"{cell}.json", "run its command again")["seeds"]

    def _errors_of_subsets(self, cell: str) -> list[float]:
        """Errors of each label subset: the mean over its networks, which are not independent of each other."""
        by_subset = collections.defaultdict(list)
        for row in self._errors(cell):
            by_subset[row["draw"]].append(row["test_errors"])
        return [float(np.mean(errors)) for errors in by_subset.values()]

    def _of_errors(self, cell: str, what: str = "") -> str:
        if not what:
            return ", ".join(f"{row['test_errors']:,}" for row in self._errors(cell))
        mean = over_seeds(self._errors_of_subsets(cell))
        digits = 1 if mean.mean < 200 else 0
        return {
            "mean": f"{mean.mean:,.{digits}f} ± {mean.sd:,.{digits}f}" if mean.sd is not None else f"{mean.mean:,.0f}",
            "n": str(mean.n),
        }[what]

    def _welch(self, cell: str, labels: str) -> str:
        mean = over_seeds(self._errors_of_subsets(cell))
        path = self._folder / "semi_supervised" / "published_errors.json"
        published = read_table(path, "restore it")[labels]
        test = stats.ttest_ind_from_stats(
            mean.mean, mean.sd, mean.n, published["mean"], published["sd"], published["n"], equal_var=False
        )
        return p_text(float(test.pvalue))

    def resolve(self, reference: str) -> str:
        """The text of a reference; UserError if there is no such number."""
        what, *arguments = reference.split()
        try:
            if what in ("mean", "sd", "low", "high"):
                return self._of_values(what, *arguments)
            if what in ("factor", "points", "interval", "p", "state"):
                return self._of_finding(what, *arguments)
            if what == "claims":
                base, verdict = arguments
                return str(self._claims[base, verdict.replace("_", " ")])
            if what == "errors":
                return self._of_errors(*arguments)
            if what == "welch":
                return self._welch(*arguments)
            if what == "record":
                return self._of_record(*arguments)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise UserError(f"{{{{{reference}}}}}: no such number in {self._folder} ({error!r})") from None
        raise UserError(f"{{{{{reference}}}}}: a reference begins with mean, sd, factor, claims, record, ...")

    def render(self, template: str) -> str:
        """The page of a template."""
        return _REFERENCE.sub(lambda match: self.resolve(match[1]), template)


def bare_numbers(template: str) -> list[str]:
    """Numbers of a template that look like results (decimals, shares, ±, signed) and are no reference."""
    return _NUMBER.findall(_NOT_RESULTS.sub("", _REFERENCE.sub("", template)))


def templates(root: pathlib.Path) -> list[pathlib.Path]:
    """Every template under the folders that hold pages."""
    return sorted(path for folder in ("experiments", "docs") for path in (root / folder).rglob("*.in.md"))


def page_of(template: pathlib.Path) -> pathlib.Path:
    """The page that a template is for."""
    return template.with_name(template.name.removesuffix(".in.md") + ".md")
