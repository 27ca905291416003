"""The charts of a comparison: every seed as a dot, and the interval of an arm as it narrowed."""

import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from experiments.compare.sequential import ArmLook, Rule
from experiments.reporting import curves
from experiments.reporting.measures import METRICS, of_runs
from experiments.reporting.measures import context as context_of
from experiments.reporting.results import Study


def dots(study: Study, rule: Rule) -> str:
    """Every seed of every arm as a dot, beside those of the base."""
    metric = METRICS[rule.score]
    with matplotlib.rc_context({**curves.SETTINGS, "svg.hashsalt": "dots"}):
        figure = Figure(figsize=(9, 0.6 + 0.35 * len(study.arms)), layout="constrained")
        axes = figure.subplots()
        for index, arm in enumerate(study.arms.values()):
            scores = list(of_runs(arm.runs, metric, context_of(study)).values())
            axes.plot(scores, np.full(len(scores), index), "o", color=curves.COLORS[0], alpha=0.6, markersize=5)
            if scores:
                middle = math.exp(np.mean(np.log(scores))) if metric.scale == "log" else np.mean(scores)
                axes.plot([middle], [index], "|", color=curves.TEXT, markersize=16, markeredgewidth=2)
        axes.set_yticks(range(len(study.arms)), list(study.arms))
        axes.invert_yaxis()
        if metric.scale == "log":
            axes.set_xscale("log")
            for axis_format in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
                axis_format(StrMethodFormatter("{x:g}"))
        axes.set_xlabel(metric.label)
        return _svg(figure, "dots")


def narrowing(rule: Rule, looks: list[dict[str, ArmLook]], name: str, index: int) -> str:
    """The interval of one arm at every look, with the margin as a band; factors on a log axis, or differences."""
    at = [(row[name].seeds[0], row[name].interval) for row in looks if np.isfinite(row[name].interval).all()]
    is_log = METRICS[rule.score].scale == "log"
    shown = math.exp if is_log else lambda value: value
    with matplotlib.rc_context({**curves.SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=(5.2, 2.4), layout="constrained")
        axes = figure.subplots()
        axes.axhspan(shown(-rule.margin), shown(rule.margin), color="#888888", alpha=0.15, linewidth=0)
        axes.axhline(shown(0.0), color=curves.TEXT, linewidth=0.8)
        for seeds, (low, high) in at:
            axes.plot([seeds, seeds], [shown(low), shown(high)], color=curves.COLORS[0], linewidth=2.5)
        if is_log:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(StrMethodFormatter("x{x:g}"))
            axes.yaxis.set_minor_locator(NullLocator())
        if at:
            axes.set_xticks([seeds for seeds, _ in at])
            axes.set_xlim(at[0][0] - 1, at[-1][0] + 1)
        axes.set_xlabel("seeds of the arm")
        axes.set_ylabel("factor" if is_log else "difference")
        return _svg(figure, f"narrowing-{index}")


def _svg(figure: Figure, prefix: str) -> str:
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    return curves.svg(figure, prefix)
