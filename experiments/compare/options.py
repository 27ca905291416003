"""The arguments of a comparison that stops when it knows: score, margin, error rate and budget."""

import argparse
import math
import re

from experiments.compare.rounds import Budget
from experiments.compare.sequential import Rule
from experiments.jobs.arguments import check_at_least
from experiments.reporting.measures import METRICS
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

SCORES = {"frechet_distance": True, "conditional_accuracy": False, "recall": False}  # name -> lower is better
NAMES = ("score", "margin", "error_rate", "budget", "max_seeds")  # of the arguments
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--score, --margin, --error_rate, --budget, --max_seeds."""
    parser.add_argument("--score", default="frechet_distance", help=f"{', '.join(SCORES)} (default frechet_distance)")
    parser.add_argument("--margin", default="", help="smallest difference that matters, such as 10%% (the default)")
    parser.add_argument("--error_rate", type=float, default=0.05, help="of the whole comparison (default 0.05)")
    parser.add_argument("--budget", default="", help="time, such as 2h; without it, until decided or --max_seeds")
    parser.add_argument("--max_seeds", type=int, default=42, help="of one arm (default 42)")


def rule_and_budget(arguments: argparse.Namespace) -> tuple[Rule, Budget]:
    """What the arguments say; UserError for a value that means nothing."""
    choose(SCORES, arguments.score, "--score")
    check_at_least(3, max_seeds=arguments.max_seeds)
    if not 0 < arguments.error_rate < 0.5:
        raise UserError(f"--error_rate={arguments.error_rate}: must be between 0 and 0.5")
    smallest = margin(arguments.margin, arguments.score)
    rule = Rule(arguments.score, SCORES[arguments.score], smallest, arguments.error_rate)
    return rule, Budget(seconds(arguments.budget) if arguments.budget else None, arguments.max_seeds)


def seconds(text: str) -> float:
    """Seconds of "90m" or "2h"."""
    if not (match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)):
        raise UserError(f"--budget={text}: a number and a unit, such as 90m, 2h or 1d")
    return float(match[1]) * _UNITS[match[2]]


def margin(text: str, score: str) -> float:
    """The margin on the scale of the analysis, of "10%"; of a share, 2% are two points."""
    if not text:
        return METRICS[score].margin_on_scale
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if not match or not 0 < float(match[1]) < 1000:
        raise UserError(f"--margin={text}: the smallest difference that matters, such as 10%")
    share = float(match[1]) / 100
    return math.log1p(share) if METRICS[score].scale == "log" else share
