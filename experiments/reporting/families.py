"""Compares the arms of every study, and decides which differences are more than noise.

All comparisons of one study on one base are one family: every arm with the baseline in every score, and every
comparison that a claim needs. So a p-value is the same wherever it is printed.
"""

import math
from collections.abc import Iterable

import numpy as np
from scipy import stats

from experiments.reporting import measures
from experiments.reporting.contrasts import Estimate, Model
from experiments.reporting.findings import Contrast, Finding
from experiments.reporting.measures import METRICS, Context, Metric
from experiments.reporting.programs import Cell, Programs, find_programs
from experiments.reporting.results import Study
from experiments.reporting.simultaneous import adjust, adjust_rates

SCORES = ("frechet_distance", "conditional_accuracy")  # of the tables

Findings = dict[str, dict[Contrast, Finding]]  # title of a study -> comparison -> result


class Models:
    """The model of every metric and context, made when it is first needed."""

    def __init__(self, programs: Programs):
        self._programs, self._models = programs, {}

    def of(self, name: str, context: Context, base: str) -> tuple[Model, set[Cell]]:
        """(the model, the cells in which a run ended before it reached the threshold)."""
        key = name, context, base
        if key not in self._models:
            self._models[key] = self._make(METRICS[name], context, base)
        return self._models[key]

    def _make(self, metric: Metric, context: Context, base: str) -> tuple[Model, set[Cell]]:
        cells, cut_off = {}, set()
        for cell, runs in self._programs.runs.items():
            if cell[0].base != base:
                continue
            by_seed = measures.of_runs(runs, metric, context)
            if any(math.isinf(value) for value in by_seed.values()):
                cut_off.add(cell)
            numbers = [runs[seed].step if math.isinf(value) else value for seed, value in by_seed.items()]
            if metric.scale == "log":
                numbers = [math.log(number) for number in numbers if number > 0]
            if numbers:
                cells[cell] = np.array(numbers, np.float64)
        return Model.of(cells, cut_off), cut_off


def scored(study: Study) -> list[str]:
    """The scores of the tables that any run of the study has."""
    return [name for name in SCORES if any(measures.values(study, arm, name) for arm in study.arms)]


def _table_contrasts(study: Study, baselines: Iterable[str]) -> list[Contrast]:
    """Every arm with the study's baseline in every score, and in the Frechet distance with other bases' baselines."""
    pairs = [(arm, study.baseline, name) for arm in study.arms for name in (*scored(study), "lost_runs")]
    pairs += [(arm, other, SCORES[0]) for other in baselines if other != study.baseline for arm in study.arms]
    return [Contrast(*pair) for pair in pairs if pair[0] != pair[1] and pair[1] in study.arms]


def find(studies: list[Study], claimed: dict[str, list[Contrast]]) -> Findings:
    """Every comparison of every study. claimed: title of a study -> the comparisons that claims need."""
    programs = find_programs(studies)
    models = Models(programs)
    baselines = {name: {s.baseline for s in studies if s.name == name} for name in {s.name for s in studies}}
    return {
        study.title: _family(
            study,
            [*_table_contrasts(study, sorted(baselines[study.name])), *claimed.get(study.title, [])],
            programs,
            models,
        )
        for study in studies
    }


def _family(study: Study, contrasts: list[Contrast], programs: Programs, models: Models) -> dict[Contrast, Finding]:
    """The findings of one study on one base. Rates of failure are a family of their own."""
    contrasts, findings = list(dict.fromkeys(contrasts)), {}
    coefficients = {contrast: _coefficients(study, contrast, programs) for contrast in contrasts}
    rates = [contrast for contrast in contrasts if METRICS[contrast.metric].scale == "rate"]
    estimates = [_rates(study, contrast, coefficients[contrast], programs) for contrast in rates]
    for contrast, estimate, adjusted in zip(rates, estimates, adjust_rates(estimates), strict=True):
        findings[contrast] = Finding(contrast, estimate, adjusted.p, None, coefficients[contrast] == {})
    others = [contrast for contrast in contrasts if contrast not in findings]
    results = [_estimate(study, contrast, coefficients[contrast], programs, models) for contrast in others]
    corrections = adjust([(model, estimate) for model, estimate, _ in results])
    for contrast, (_, estimate, bound), (p, interval) in zip(others, results, corrections, strict=True):
        if interval is not None and bound:
            interval = (interval[0], math.inf) if bound > 0 else (-math.inf, interval[1])
        findings[contrast] = Finding(contrast, estimate, p, interval, coefficients[contrast] == {}, bound)
    return findings


def _coefficients(study: Study, contrast: Contrast, programs: Programs) -> dict[int, float] | None:
    """program -> its weight in the difference; None if an arm is missing. Empty if both sides are one program."""
    names = [(contrast.arm, 1.0), (contrast.against, -1.0)]
    if contrast.controls:
        names += [(contrast.controls[0], -1.0), (contrast.controls[1], 1.0)]
    coefficients: dict[int, float] = {}
    for name, weight in names:
        if (program := programs.of(study, name)) is None:
            return None
        coefficients[program] = coefficients.get(program, 0.0) + weight
    return {program: weight for program, weight in coefficients.items() if weight}


def _estimate(
    study: Study, contrast: Contrast, coefficients: dict[int, float] | None, programs: Programs, models: Models
) -> tuple[Model, Estimate, int]:
    """(the model, the estimate, 1 or -1 if the estimate is a lower or an upper bound, else 0)."""
    model, cut_off = models.of(contrast.metric, measures.context(study), study.base)
    if not coefficients:
        return model, Estimate((0, 0)), 0
    estimate = model.contrast(coefficients, programs.blocks(set(coefficients)))
    # A run that ended before the threshold counts with its length, so its arm's mean is a lower bound.
    signs = {int(np.sign(weight)) for cell, weight in estimate.weights.items() if cell in cut_off}
    if not signs:
        return model, estimate, 0
    bound = signs.pop() if len(signs) == 1 else 0
    if not bound or estimate.difference * bound <= 0:
        # The bound allows a difference of either sign.
        return model, estimate._replace(p_value=None), bound
    return model, estimate, bound


def _rates(study: Study, contrast: Contrast, coefficients: dict[int, float] | None, programs: Programs) -> Estimate:
    """Fisher's exact test of two rates (two-sided). A failure is the same on every machine, so all runs are counted."""
    counts, metric, context = [], METRICS[contrast.metric], measures.context(study)
    for program in coefficients or ():
        blocks = [block for block in programs.blocks({program}) if block.base == study.base]
        by_block = [measures.of_runs(programs.runs[block, program], metric, context) for block in blocks]
        counts.append((int(sum(sum(row.values()) for row in by_block)), sum(map(len, by_block))))
    if len(counts) != 2 or not all(total for _, total in counts):
        return Estimate((0, 0))
    (lost, total), (other_lost, other_total) = counts
    both = lost + other_lost
    tables = [(k, both - k) for k in range(max(0, both - other_total), min(total, both) + 1)]
    p_values = {k: float(stats.fisher_exact([[k, total - k], [o, other_total - o]]).pvalue) for k, o in tables}
    difference = lost / total - other_lost / other_total
    return Estimate((total, other_total), difference, p_value=p_values[lost], smallest_p=min(p_values.values()))
