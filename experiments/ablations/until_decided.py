"""Studies with seeds until every arm has a verdict: each study on each base is one comparison (experiments/compare)."""

import argparse
import pathlib
from collections.abc import Callable

from experiments.ablations import plan
from experiments.compare import options, prior
from experiments.compare.arms import Arm
from experiments.compare.rounds import Rounds
from experiments.compare.sequential import BASE
from experiments.compare.session import decide
from experiments.compare.workdir import Workdir
from experiments.jobs.pool import Backend


def arms_of_study(arms: list[plan.Arm]) -> list[Arm]:
    """The arms of one study on one base as those of a comparison; the baseline is the base. One for each config."""
    (baseline,) = (arm for arm in arms if arm.is_baseline)
    compared = [Arm(BASE, baseline.config_spec, baseline.config, baseline.hash)]
    for run_hash, arm in plan.distinct(arms).items():
        if run_hash != baseline.hash:
            compared.append(Arm(arm.name, arm.config_spec, arm.config, run_hash))
    return compared


def run(
    arms: list[plan.Arm],
    workdir: pathlib.Path,
    arguments: argparse.Namespace,
    backend: Backend,
    extra: list[str],
    stopping: Callable[[], bool],
) -> dict[str, bool]:
    """Decides study after study, as long as no signal was received. Title of a study -> whether all arms are decided.

    The runs are those of the studies in `workdir`; the looks and the page are in workdir/decided/<study>@<base>.
    """
    rule, budget = options.rule_and_budget(arguments)
    decided = {}
    for study, base in dict.fromkeys((arm.study, arm.base) for arm in arms):
        if stopping():
            break
        title, own = f"{plan.title(study)}@{base}", [arm for arm in arms if (arm.study, arm.base) == (study, base)]
        print(f"{title}: {plan.module(study).__doc__.strip().splitlines()[0]}", flush=True)
        compared = Workdir(workdir / "decided" / title, rule, arms_of_study(own), workdir)
        decided[title] = decide(Rounds(compared, budget, prior.NONE, backend, extra, stopping))
    return decided
