"""Curves over a run with a band over seeds, as SVG for an HTML page."""

import io
import itertools
import re
import warnings

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from experiments.reporting.document import Chart, Charts
from experiments.reporting.results import Arm, Study

PANELS = {
    "d_loss": "loss of D",
    "g_loss": "loss of G",
    "validation_frechet_distance": "validation Frechet distance",
    "validation_conditional_accuracy": "validation conditional accuracy",
}
POINTS = 100  # of a line: more than a screen can show
# Okabe and Ito's colors, without those that vanish on white or on black; the second seven arms are dashed.
COLORS = ("#2a88c8", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1")
DASHES = ("none", "5 2", "1.5 1.5")
# A placeholder that becomes currentColor: the page's text color, light or dark.
TEXT = "#010203"
SETTINGS = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "text.color"), TEXT),
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def styles(study: Study) -> dict[str, tuple[str, str]]:
    """arm -> (color, dashes): the baseline is drawn in the color of the text."""
    combinations = ((color, dash) for dash, color in itertools.product(DASHES, COLORS))
    other_arms = (name for name in study.arms if name != study.baseline)
    return {study.baseline: (TEXT, "none")} | dict(zip(other_arms, itertools.cycle(combinations)))  # noqa: B905


def band(arm: Arm, curve: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """(step, mean, lowest, highest) over the seeds, at the steps that all seeds have; None if no seed has the curve.

    A long curve is first averaged over neighbouring steps. Failed seeds are left out, so that they do not shorten the
    lines of the completed seeds; if all seeds failed, all are used.
    """
    axis = "validation_step" if curve.startswith("validation") else "step"
    usable = [run for run in arm.runs.values() if len(run.curves.get(curve, ())) == len(run.curves.get(axis, ())) > 0]
    runs = [run for run in usable if run.completed] or usable
    if not runs:
        return None
    tables = [dict(zip(run.curves[axis], run.curves[curve], strict=True)) for run in runs]
    steps = np.array(sorted(set.intersection(*map(set, tables))))
    if not len(steps):
        return None
    values = np.array([[table[step] for step in steps] for table in tables])
    groups = np.array_split(np.arange(len(steps)), min(len(steps), POINTS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # The mean of a group without a number is NaN.
        smooth = np.array([np.nanmean(values[:, group], axis=1) for group in groups]).T
        bounds = np.nanmean(smooth, axis=0), np.nanmin(smooth, axis=0), np.nanmax(smooth, axis=0)
    return np.array([steps[group].mean() for group in groups]), *bounds


def _limits(lines: list[tuple]) -> tuple[float, float] | None:
    """The range of the middle 96% of all means, with a margin: with all of them, one explosion would flatten a plot."""
    values = np.concatenate([line[1] for line in lines])
    if not np.isfinite(values).any():
        return None
    low, high = np.nanpercentile(values, (2, 98))
    margin = 0.08 * (high - low) or 0.1 * (abs(high) or 1)
    return low - margin, high + margin


def svg(figure: Figure, prefix: str) -> str:
    """A figure as an SVG element for HTML: with unique ids, without a style element and without outside addresses."""
    file = io.StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(file, metadata=no_metadata)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->\s*|<style.*?</style>\s*|<metadata.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"| (width|height)="[\d.]+pt"', "", text)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", text)
    text = re.sub(r"(\d+\.\d)\d+", r"\1", text)  # A tenth of a point is finer than any screen.
    return re.sub(r"\s*\n\s*", "\n", text.replace(TEXT, "currentColor"))


def _panel(study: Study, curve: str) -> str | None:
    lines = {name: line for name, arm in study.arms.items() if (line := band(arm, curve))}
    limits = _limits(list(lines.values())) if lines else None
    if limits is None:
        return None
    arm_styles, prefix = styles(study), f"{study.anchor}-{curve}"
    with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": prefix}):
        figure = Figure(figsize=(5.2, 3), layout="constrained")
        axes = figure.subplots()
        for name, (steps, mean, low, high) in sorted(lines.items(), key=lambda item: item[0] == study.baseline):
            color, dashes = arm_styles[name]
            pattern = "-" if dashes == "none" else (0, tuple(float(length) for length in dashes.split()))
            line_width = 2.0 if name == study.baseline else 1.3
            axes.fill_between(steps, low, high, color=color, alpha=0.14, linewidth=0)
            axes.plot(steps, mean, color=color, linestyle=pattern, linewidth=line_width)
        axes.set_ylim(*limits)
        axes.set_xlabel("generator updates")
        axes.grid(axis="y", color="#888888", alpha=0.3, linewidth=0.6)
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        return svg(figure, prefix)


def charts(study: Study) -> Charts | None:
    """The losses and validation scores of all arms; None if no seed has a curve."""
    panels = [Chart(title, drawn) for curve, title in PANELS.items() if (drawn := _panel(study, curve))]
    if not panels:
        return None
    legend = [
        (f"{name} (baseline)" if name == study.baseline else name, color.replace(TEXT, "currentColor"), dashes)
        for name, (color, dashes) in styles(study).items()
        if name in study.arms
    ]
    return Charts(legend, panels)
