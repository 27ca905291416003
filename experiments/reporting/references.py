"""Numbers in prose come from records: a page NAME.md is written from its template NAME.in.md.

In a template, {{...}} stands for a number of a record:

    {{mean beta1@tuned 0.9}}                 mean over seeds of an arm's Frechet distance; or of a named metric:
    {{mean beta1@tuned 0.9 recall}}          any metric of measures.py; sd, low and high work in the same way
    {{factor beta1@tuned 0.9}}               the arm's Frechet distance over that of the study's baseline
    {{points beta1@tuned 0.9}}               the difference in conditional accuracy, in points
    {{interval beta1@tuned 0.9}}             its simultaneous interval; p and state work in the same way
    {{claims tuned supported}}               number of claims with this verdict on this base
    {{errors long@labels-100}}               test errors of every network of a cell with few labels, collapsed ones too
    {{errors long@labels-100 mean}}          their mean and standard deviation over label subsets; ensembles: of the
                                             networks of each subset; n: number of subsets; collapsed: k of n networks
    {{each long@labels-100 train_errors}}    a field of every network, or `mistake`, the most frequent one
    {{row long@labels-100 train_errors 0}}   the same as cells of a table, of the first network (0) of each subset
    {{published 100}}                        published errors, mean and standard deviation; ensembles: of ensembles
    {{welch long@labels-100 100}}            p-value of Welch's test of both, over label subsets
    {{runs colour scores}}                   a table of a page of short runs; the others are in short_runs/report.py
    {{sweeps}}                               table: the time of a training of each study, and of many arms
    {{record FILE PATH FORMAT}}              one entry of a JSON file in experiments/results; PATH is keys with slashes

A number that has no record has no place on such a page. `bare_numbers` finds those that were typed.
"""

import collections
import functools
import pathlib
import re
from collections.abc import Callable

from experiments import colour, systems
from experiments.reporting import claims_list, measures, sweeps
from experiments.reporting.claim import ACCURACY, DISTANCE
from experiments.reporting.families import Findings, find
from experiments.reporting.few_labels import FewLabels
from experiments.reporting.findings import Contrast, Finding, state
from experiments.reporting.formats import format_difference, format_interval, format_value, p_text
from experiments.reporting.measures import METRICS
from experiments.reporting.results import Study, read
from experiments.reporting.statistics import over_seeds
from experiments.reporting.verdicts import (
    NOT_MEASURED,
    NOT_RUN,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    contrasts_of_claims,
    evaluate_claims,
)
from experiments.short_runs.report import TABLES
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table

RESULTS = pathlib.Path("experiments/results")
_SHORT_RUNS = {page.name: page for page in (colour.PAGE, systems.PAGE)}
VERDICTS = (SUPPORTED, REFUTED, UNDECIDED, NOT_RUN, NOT_MEASURED)
_REFERENCE = re.compile(r"\{\{([^{}]+)\}\}")
# What is no result: code (and with it the values of knobs), links, arXiv numbers and dates.
_NOT_RESULTS = re.compile(
    r"```.*?```|^ {4}.*?$|`[^`]*`|\]\([^)]*\)|arXiv \d+\.\d+|https?:\S+|\d{4}-\d\d-\d\d", re.DOTALL | re.MULTILINE
)
_NUMBER = re.compile(r"\d+\.\d+|\d+ ?%|\d ?±|± ?\d|(?<![\w.])[+-]\d")


class References:
    """Resolves the references of templates. The records are read when the first reference needs them."""

    def __init__(self, folder: pathlib.Path = RESULTS):
        self._folder = folder
        self._kinds: dict[str, Callable[..., str]] = {
            **{what: functools.partial(self._of_values, what) for what in ("mean", "sd", "low", "high")},
            **{
                what: functools.partial(self._of_finding, what)
                for what in ("factor", "points", "interval", "p", "state")
            },
            "claims": self._of_claims,
            **FewLabels(folder / "semi_supervised").kinds,
            "runs": self._of_short_runs,
            "sweeps": lambda: sweeps.table(list(self._studies.values())),
            "record": self._of_record,
        }

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

    def _of_claims(self, base: str, *words: str) -> str:
        verdict = " ".join(words)
        if verdict not in VERDICTS or base not in {known for known, _ in self._claims}:
            raise KeyError(verdict)  # A count of 0 would hide a mistyped word.
        return str(self._claims[base, verdict])

    def _of_short_runs(self, page: str, table: str) -> str:
        record = read_table(self._folder / f"{page}.json", "run its command again")
        return TABLES[table](_SHORT_RUNS[page], record)

    def _of_record(self, name: str, path: str, form: str = "") -> str:
        value = read_table(self._folder / name, "run its command again")
        for key in path.split("/"):
            value = value[int(key)] if isinstance(value, list) else value[key]
        return format(value, form)

    def resolve(self, reference: str) -> str:
        """The text of a reference; UserError if there is no such number."""
        what, *arguments = reference.split() or [""]
        if what not in self._kinds:
            raise UserError(f"{{{{{reference}}}}}: a reference begins with {', '.join(self._kinds)}")
        try:
            return self._kinds[what](*arguments)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise UserError(f"{{{{{reference}}}}}: no such number in {self._folder} ({error!r})") from None
        except UserError as error:
            raise UserError(f"{{{{{reference}}}}}: {error}") from None

    def render(self, template: str) -> str:
        """The page of a template."""
        return _REFERENCE.sub(lambda match: self.resolve(match[1]), template)


def bare_numbers(template: str) -> list[str]:
    """Numbers of a template that look like results (decimals, shares, ±, signed) and are no reference."""
    return _NUMBER.findall(_NOT_RESULTS.sub("", _REFERENCE.sub("", template)))


def templates(root: pathlib.Path) -> list[pathlib.Path]:
    """Every template: at the root, and under the folders that hold pages."""
    below = (path for folder in ("experiments", "docs") for path in (root / folder).rglob("*.in.md"))
    return sorted([*root.glob("*.in.md"), *below])


def page_of(template: pathlib.Path) -> pathlib.Path:
    """The page that a template is for."""
    return template.with_name(template.name.removesuffix(".in.md") + ".md")
