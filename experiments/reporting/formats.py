"""Numbers of the reports as text."""

import math

from experiments.reporting.measures import Metric

# kind -> (a value, a difference on the linear scale); a difference of shares is in points.
_FORMATS = {
    "score": (lambda v: f"{v:.2f}", lambda v: f"{v:+.2f}"),
    "share": (lambda v: f"{v:.1%}", lambda v: f"{100 * v:+.1f}"),
    "steps": (lambda v: f"{v:.0f}", lambda v: f"{v:+.0f}"),
    "seconds": (lambda v: f"{v:.0f}", lambda v: f"{v:+.1f}"),
    "plain": (lambda v: f"{v:.3g}", lambda v: f"{v:+.3g}"),
}


def format_value(value: float | None, kind: str) -> str:
    return "-" if value is None else _FORMATS[kind][0](value)


def _factor(difference: float) -> str:
    if not math.isfinite(difference):
        return "any" if difference > 0 else "0"
    factor = math.exp(difference)
    return f"x{factor:.2f}" if factor < 10 else f"x{factor:.3g}"


def format_difference(difference: float | None, metric: Metric) -> str:
    """A difference on the metric's scale: a factor (x1.32) on the log scale, points of a share, or a number."""
    if difference is None:
        return "-"
    if metric.scale == "log":
        return _factor(difference)
    return _FORMATS[metric.kind][1](difference) if math.isfinite(difference) else "any"


def format_interval(bounds: tuple[float, float] | None, metric: Metric) -> str:
    return "-" if bounds is None else " to ".join(format_difference(bound, metric) for bound in bounds)


def p_text(p: float | None) -> str:
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"
