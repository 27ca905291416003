"""What a budget can decide, before anything is trained."""

import math
import statistics
import tempfile

from ml_collections import ConfigDict
from scipy import stats

from experiments.compare import sequential
from experiments.compare.arms import Arm
from experiments.compare.rounds import Budget
from experiments.compare.sequential import FIRST_SEEDS, SHARE_OF_SCORES, Rule
from experiments.jobs.clock import format_duration
from experiments.reporting.formats import format_difference
from experiments.reporting.measures import METRICS
from gan_jax.runs.records import read_metrics
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.training import session

# Standard deviation over seeds of the logarithm of the Frechet distance: the stable programs of the ablation studies.
TYPICAL_SD = 0.07
EFFECTS = (0.0, 0.05, 0.1, 0.2, 0.5)
_TIMED_CALLS = 6  # of config.steps_per_call steps; the first one compiles
_POWER = 0.8


def seconds_of_a_run(arm: Arm, data_dir: str) -> float:
    """The training time of one run, from the pace of a short one. Scores are not in it.

    If the short run was too fast for a measured pace, the time of its compilation is in it, so it is too long.
    """
    config = ConfigDict(arm.config.to_dict())
    steps = min(_TIMED_CALLS * config.steps_per_call, config.num_steps)
    changes = {"num_epochs": 0, "num_steps": steps, "eval.every_steps": 0, "log_every_steps": 1}
    configs.override(config, changes | {"sample_every_steps": 0, "checkpoint_every_steps": 0})
    with tempfile.TemporaryDirectory() as folder:
        session.train(config.lock(), folder, data_dir)
        rates = [row["steps_per_second"] for row in read_metrics(Workdir(folder).metrics) if "steps_per_second" in row]
        pace = statistics.median(rates) if rates else steps / Workdir(folder).run()["seconds"]
    return arm.config.num_steps / pace


def seeds_for(effect: float, rule: Rule, num_arms: int, sd: float, max_seeds: int) -> tuple[int, int] | None:
    """(seeds of an arm, of the base) at the first look that decides an effect with a power of 80%; None if too many.

    An effect is decided if its interval excludes 0, or lies inside the margin.
    """
    seeds, look = FIRST_SEEDS, 1
    while seeds <= max_seeds:
        of_base = sequential.base_seeds(seeds, num_arms)
        error = sd * math.sqrt(1 / seeds + 1 / of_base)
        df = (num_arms * (seeds - 1)) + of_base - 1
        alpha = rule.alpha(look) * SHARE_OF_SCORES / num_arms
        different = abs(effect) / error - stats.t.isf(alpha / 2, df)
        # Both bounds must be inside; without an effect each may miss in half of the other cases.
        inside = (rule.margin - abs(effect)) / error - stats.t.isf(alpha, df)
        if different >= stats.norm.ppf(_POWER) or inside >= stats.norm.ppf((1 + _POWER) / 2):
            return seeds, of_base
        seeds, look = sequential.more_seeds(seeds), look + 1
    return None


def show(rule: Rule, arms: list[Arm], budget: Budget, sd: float, jobs: int, data_dir: str) -> None:
    """Prints the seeds, runs and time that each size of an effect needs."""
    metric, num_arms = METRICS[rule.score], len(arms) - 1
    seconds = max(seconds_of_a_run(arm, data_dir) for arm in arms)
    print(f"a run trains for about {seconds:.3g} s on this machine, without its scores")
    print(f"seeds for a power of {_POWER:.0%}, if the standard deviation over seeds is {sd:g} ({metric.scale} scale):")
    for effect in EFFECTS:
        size = math.log1p(effect) if metric.scale == "log" else effect
        needed = seeds_for(size, rule, num_arms, sd, budget.max_seeds)
        text = format_difference(size, metric) if effect else "no difference"
        if needed is None:
            print(f"  {text}: more than {budget.max_seeds} seeds an arm")
            continue
        runs = needed[0] * num_arms + needed[1]
        hours = runs * seconds / jobs
        fits = "" if budget.seconds is None else "; fits" if hours <= budget.seconds else "; more than the budget"
        seeds = f"{needed[0]} seeds an arm and {needed[1]} of the base"
        print(f"  {text}: {seeds}, {runs} runs, {format_duration(hours)}{fits}")
