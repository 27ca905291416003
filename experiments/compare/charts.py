"""The charts of a comparison: every seed as a dot, and the interval of an arm as it narrowed."""

import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from experiments.compare.sequential import ArmLook, Rule
from experiments.reporting import curves
from experiments.reporting.measures import METRICS, of_runs
from experiments.reporting.measures import context as context_of
from experiments.reporting.results import Study


def dots(study: Study, rule: Rule) -> str:
    """Every seed of every arm as a dot, beside those of the base."""
    metric = METRICS[rule.score]
    with matplotlib.rc_context({**curves.SETTINGS, "svg.hashsalt": "dots"}):
        figure = Figure(figsize=(5.2, 0.6 + 0.45 * len(study.arms)), layout="constrained")
        axes = figure.subplots()
        for index, arm in enumerate(study.arms.values()):
            scores = list(of_runs(arm.runs, metric, context_of(study)).values())
            axes.plot(scores, np.full(len(scores), index), "o", color=curves.COLORS[0], alpha=0.6, markersize=5)
            if scores:
                middle = math.exp(np.mean(np.log(scores))) if metric.scale == "log" else np.mean(scores)
                axes.plot([middle], [index], "|", color=curves.TEXT, markersize=16, markeredgewidth=2)
        axes.set_yticks(range(len(study.arms)), list(study.arms))
        axes.invert_yaxis()
        axes.set_xscale("log" if metric.scale == "log" else "linear")
        axes.set_xlabel(metric.label)
        return _svg(figure, "dots")


def narrowing(rule: Rule, looks: list[dict[str, ArmLook]], name: str, index: int) -> str:
    """The interval of one arm at every look, with the margin as a band."""
    at = [(row[name].seeds[0], *row[name].interval) for row in looks if np.isfinite(row[name].interval).all()]
    with matplotlib.rc_context({**curves.SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=(5.2, 2.4), layout="constrained")
        axes = figure.subplots()
        axes.axhspan(-rule.margin, rule.margin, color="#888888", alpha=0.15, linewidth=0)
        axes.axhline(0, color=curves.TEXT, linewidth=0.8)
        for seeds, low, high in at:
            axes.plot([seeds, seeds], [low, high], color=curves.COLORS[0], linewidth=2.5)
        axes.set_xlabel("seeds of the arm")
        axes.set_ylabel("log of the factor" if METRICS[rule.score].scale == "log" else "difference")
        return _svg(figure, f"narrowing-{index}")


def _svg(figure: Figure, prefix: str) -> str:
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    return curves.svg(figure, prefix)
